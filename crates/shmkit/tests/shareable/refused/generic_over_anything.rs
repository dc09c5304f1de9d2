use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared<T> {
    field: T,
}

fn share<T: Shareable>() {}

fn generic() {
    share::<Shared<String>>();
}

fn main() {}
