use shmkit::Shareable;

#[derive(Shareable)]
enum Shared {
    On,
    Off,
}

fn main() {}
