use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: String,
}

fn main() {}
