use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: u32,
}

impl Drop for Shared {
    fn drop(&mut self) {}
}

fn main() {}
