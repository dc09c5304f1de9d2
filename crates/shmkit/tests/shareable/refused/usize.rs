use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: usize,
}

fn main() {}
