use shmkit::Shareable;

struct Part(u32);

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: Part,
}

fn main() {}
