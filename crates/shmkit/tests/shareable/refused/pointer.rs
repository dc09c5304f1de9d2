use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: *const u32,
}

fn main() {}
