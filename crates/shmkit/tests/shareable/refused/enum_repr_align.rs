use shmkit::Shareable;

#[derive(Shareable)]
#[repr(u8, align(4))]
enum Shared {
    On,
    Off,
}

fn main() {}
