use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: [usize; 4],
}

fn main() {}
