use shmkit::Shareable;

#[derive(Shareable)]
#[repr(C)]
union Shared {
    field: u32,
}

fn main() {}
