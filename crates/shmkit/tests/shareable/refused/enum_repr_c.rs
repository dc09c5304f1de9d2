use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
enum Shared {
    On,
    Off,
}

fn main() {}
