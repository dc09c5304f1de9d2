use shmkit::Shareable;

#[derive(Shareable)]
#[repr(usize)]
enum Shared {
    On,
    Off,
}

fn main() {}
