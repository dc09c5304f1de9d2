use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: Vec<u8>,
}

fn main() {}
