use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared<'a> {
    field: &'a u32,
}

fn main() {}
