//! Memory under a name.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use shmkit::ErrorKind;
use shmkit::memory::SharedMemory;

use crate::{Unique, actual_size, assert_error, free_name};

#[test]
fn create_open_and_open_or_create_agree_on_what_exists() {
    let name = Unique::new();
    assert_error(
        SharedMemory::open(&name),
        ErrorKind::NotFound,
        &format!("cannot open \"{}\"", &*name),
    );
    assert_error(SharedMemory::remove(&name), ErrorKind::NotFound, "cannot remove");

    let memory = SharedMemory::create(&name, 100).unwrap();
    assert_eq!((memory.name(), memory.size().unwrap()), (Some(&*name), actual_size(100)));
    assert!(memory.was_created());
    assert_error(SharedMemory::create(&name, 100), ErrorKind::AlreadyExists, "cannot create");
    let read_only = SharedMemory::options().read_only();
    for opened in [
        SharedMemory::open(&name),
        SharedMemory::open_or_create(&name, 100),
        read_only.open_or_create(&name, 100),
    ] {
        let opened = opened.unwrap();
        assert_eq!((opened.size().unwrap(), opened.was_created()), (actual_size(100), false));
    }

    let _handle = free_name(&name, memory);
    let new = SharedMemory::open_or_create(&name, 5000).unwrap();
    assert_eq!((new.size().unwrap(), new.was_created()), (actual_size(5000), true));
    let _handle = free_name(&name, new);
    let new = read_only.open_or_create(&name, 100).unwrap();
    assert_eq!((new.is_read_only(), new.was_created()), (true, true));
}

#[test]
fn memory_under_a_unique_name_is_opened_by_the_name_that_it_reports() {
    let made = [(); 3].map(|()| SharedMemory::create_unique(100).unwrap());
    let names = made.each_ref().map(|it| Unique::of(it.name().unwrap()));
    assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
    for (memory, name) in made.iter().zip(&names) {
        assert!(memory.was_created() && name.starts_with("shmkit-"), "{}", &**name);
        memory.map().unwrap().write_at(99, name.as_bytes().last_chunk::<1>().unwrap()).unwrap();
    }
    for name in &names {
        let mut byte = [0];
        SharedMemory::open(name).unwrap().map().unwrap().read_at(99, &mut byte).unwrap();
        assert_eq!(byte[0], *name.as_bytes().last().unwrap());
    }
    let refused = SharedMemory::create_unique(1 << 50);
    assert_error(refused, ErrorKind::OutOfSpace, "cannot create \"<unique name>\": no space for");
}

#[test]
fn open_or_create_refuses_another_size_with_both_sizes() {
    let name = Unique::new();
    let _memory = SharedMemory::create(&name, 100).unwrap();
    let message = format!("it has {} bytes, not the requested 5000", actual_size(100));
    assert_error(SharedMemory::open_or_create(&name, 5000), ErrorKind::WrongOptions, &message);
    assert_eq!(SharedMemory::open(&name).unwrap().size().unwrap(), actual_size(100));
}

#[test]
fn a_creation_without_space_leaves_nothing_behind() {
    let name = Unique::new();
    for size in [1 << 50, u64::MAX] {
        let message = format!("no space for {size} bytes");
        assert_error(SharedMemory::create(&name, size), ErrorKind::OutOfSpace, &message);
        assert_error(SharedMemory::open(&name), ErrorKind::NotFound, "cannot open");
    }
}

#[test]
fn a_read_only_handle_cannot_change_anything() {
    let name = Unique::new();
    let created = SharedMemory::create(&name, 10).unwrap();
    created.map().unwrap().fill(.., 1).unwrap();
    let memory = SharedMemory::options().read_only().open(&name).unwrap();
    assert!(memory.is_read_only());
    let why = "it is open read-only";
    assert_error(memory.set_size(20), ErrorKind::PermissionDenied, why);
    let region = memory.map().unwrap();
    assert_error(region.write_at(0, &[2]), ErrorKind::PermissionDenied, why);
    assert_error(region.fill(.., 2), ErrorKind::PermissionDenied, why);
    let own = memory.region().copy_on_write().map().unwrap();
    own.fill(.., 2).unwrap();
    let mut bytes = [0; 10];
    created.map().unwrap().read_at(0, &mut bytes).unwrap();
    assert_eq!(bytes, [1; 10]);
}

#[test]
fn an_invalid_name_is_refused_by_every_operation() {
    let of_the_system: &[&str] =
        if cfg!(windows) { &[r"a\b", r"Local\"] } else { &["a/b", "..", "x.shmkit"] };
    for name in [&["", "a\0b"], of_the_system].concat() {
        let answers = [
            SharedMemory::create(name, 1).map(drop),
            SharedMemory::open(name).map(drop),
            SharedMemory::open_or_create(name, 1).map(drop),
            SharedMemory::remove(name),
        ];
        for answer in answers {
            assert_error(answer, ErrorKind::InvalidName, "cannot use the name");
        }
    }
}
