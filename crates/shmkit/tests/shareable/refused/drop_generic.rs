use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared<T> {
    field: T,
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {}
}

const LAYOUT: &shmkit::shareable::Layout = Shared::<u32>::LAYOUT;

fn main() {}
