use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C, packed)]
struct Shared {
    field: u32,
}

fn main() {}
