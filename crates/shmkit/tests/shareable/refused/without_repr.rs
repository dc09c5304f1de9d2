use shmkit::Shareable;

#[derive(Shareable)]
struct Shared {
    field: u32,
}

fn main() {}
