use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: Option<u32>,
}

fn main() {}
