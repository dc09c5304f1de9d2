use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: &'static u32,
}

fn main() {}
