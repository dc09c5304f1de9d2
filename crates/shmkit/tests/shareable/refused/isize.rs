use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: isize,
}

fn main() {}
