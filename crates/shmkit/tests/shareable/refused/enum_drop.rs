use shmkit::Shareable;

#[derive(Shareable)]
#[repr(u8)]
enum Shared {
    On,
}

impl Drop for Shared {
    fn drop(&mut self) {}
}

fn main() {}
