use shmkit::Shareable;

#[derive(Shareable)]
enum Shared {}

fn main() {}
