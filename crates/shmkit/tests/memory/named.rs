//! Memory under a name.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use shmkit::ErrorKind;
use shmkit::memory::SharedMemory;

use crate::{Unique, free, refused, whole};

#[test]
fn create_open_and_open_or_create_agree_on_what_exists() {
    let name = Unique::new();
    refused(SharedMemory::open(&name), ErrorKind::NotFound, &format!("cannot open \"{}\"", &*name));
    refused(SharedMemory::remove(&name), ErrorKind::NotFound, "cannot remove");

    let memory = SharedMemory::create(&name, 100).unwrap();
    assert_eq!((memory.name(), memory.size().unwrap()), (Some(&*name), whole(100)));
    refused(SharedMemory::create(&name, 100), ErrorKind::AlreadyExists, "cannot create");
    assert_eq!(SharedMemory::open(&name).unwrap().size().unwrap(), whole(100));
    assert_eq!(SharedMemory::open_or_create(&name, 100).unwrap().size().unwrap(), whole(100));

    let _kept = free(&name, memory);
    let made = SharedMemory::open_or_create(&name, 5000).unwrap();
    assert_eq!(made.size().unwrap(), whole(5000));
}

#[test]
fn open_or_create_refuses_another_size_with_both() {
    let name = Unique::new();
    let _made = SharedMemory::create(&name, 100).unwrap();
    let message = format!("it has {} bytes, and 5000 were asked for", whole(100));
    refused(SharedMemory::open_or_create(&name, 5000), ErrorKind::WrongOptions, &message);
    assert_eq!(SharedMemory::open(&name).unwrap().size().unwrap(), whole(100));
}

#[test]
fn more_than_there_is_leaves_nothing_behind() {
    let name = Unique::new();
    for size in [1 << 50, u64::MAX] {
        let message = format!("no space for {size} bytes");
        refused(SharedMemory::create(&name, size), ErrorKind::OutOfSpace, &message);
        refused(SharedMemory::open(&name), ErrorKind::NotFound, "cannot open");
    }
}

#[test]
fn a_read_only_handle_cannot_change_anything() {
    let name = Unique::new();
    let made = SharedMemory::create(&name, 10).unwrap();
    made.map().unwrap().fill(.., 1).unwrap();
    let memory = SharedMemory::options().read_only().open(&name).unwrap();
    assert!(memory.is_read_only());
    let why = "it is open for reading alone";
    refused(memory.set_size(20), ErrorKind::PermissionDenied, why);
    let region = memory.map().unwrap();
    refused(region.write_at(0, &[2]), ErrorKind::PermissionDenied, why);
    refused(region.fill(.., 2), ErrorKind::PermissionDenied, why);
    let own = memory.region().copy_on_write().map().unwrap();
    own.fill(.., 2).unwrap();
    let mut bytes = [0; 10];
    made.map().unwrap().read_at(0, &mut bytes).unwrap();
    assert_eq!(bytes, [1; 10]);
}

#[test]
fn a_name_that_breaks_the_rules_is_refused_everywhere() {
    for name in ["", "a/b", "..", "a\0b", "x.shmkit"] {
        let answers = [
            SharedMemory::create(name, 1).map(drop),
            SharedMemory::open(name).map(drop),
            SharedMemory::open_or_create(name, 1).map(drop),
            SharedMemory::remove(name),
        ];
        for answer in answers {
            refused(answer, ErrorKind::InvalidName, "cannot use the name");
        }
    }
}
