use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: Box<u32>,
}

fn main() {}
