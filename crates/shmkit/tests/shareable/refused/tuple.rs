use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: (u32, u32),
}

fn main() {}
