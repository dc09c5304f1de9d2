use shmkit::Shareable;
use std::sync::atomic::AtomicU32;

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    field: AtomicU32,
}

fn main() {}
