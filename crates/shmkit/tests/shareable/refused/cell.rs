use shmkit::Shareable;
use std::cell::Cell;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: Cell<u32>,
}

fn main() {}
