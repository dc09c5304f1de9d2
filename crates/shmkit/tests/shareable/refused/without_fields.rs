use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
struct Shared;

fn main() {}
