use shmkit::Shareable;

#[derive(Shareable)]
#[repr(u8)]
enum Shared {
    Nothing,
    Something(u32),
}

fn main() {}
