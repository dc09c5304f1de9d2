//! Named memory as a section: in whole pages, of a constant size, removed with its last handle.

use std::ptr;

use shmkit::ErrorKind;
use shmkit::memory::{Region, Seal, SharedMemory};
use windows_sys::Win32::Foundation::CloseHandle;
use windows_sys::Win32::System::Threading::CreateEventW;

use crate::{Unique, assert_error};

#[test]
fn the_size_is_in_whole_pages_and_constant() {
    let name = Unique::new();
    let page = Region::page_size() as u64;
    let memory = SharedMemory::create(&name, 100).unwrap();
    assert_eq!(memory.size().unwrap(), page);
    assert_eq!(memory.map().unwrap().len() as u64, page);
    // A section does not store the requested size, so that it cannot be compared.
    assert_eq!(SharedMemory::open_or_create(&name, 200).unwrap().size().unwrap(), page);
    for size in [0, 50, 2 * page] {
        assert_error(memory.set_size(size), ErrorKind::Unsupported, "Windows cannot resize memory");
    }
    assert!(memory.is_sealed(Seal::Size).unwrap() && !memory.is_sealed(Seal::NewWriters).unwrap());
    memory.seal(Seal::Size).unwrap();
    assert_error(memory.seal(Seal::NewWriters), ErrorKind::Unsupported, "Windows has no seals");
    let none = "Windows has no memory of 0 bytes";
    assert_error(SharedMemory::create(&Unique::new(), 0), ErrorKind::InvalidArgument, none);
}

#[test]
fn named_memory_cannot_be_removed_and_lives_until_its_last_handle_closes() {
    let name = Unique::new();
    let memory = SharedMemory::create(&name, 10).unwrap();
    let region = memory.map().unwrap();
    region.fill(.., 7).unwrap();
    let why = "Windows keeps the name while any process has the memory open";
    assert_error(SharedMemory::remove(&name), ErrorKind::Unsupported, why);
    let second = SharedMemory::open(&name).unwrap();
    drop(memory);
    let mut byte = [0];
    SharedMemory::open(&name).unwrap().map().unwrap().read_at(9, &mut byte).unwrap();
    assert_eq!(byte, [7], "without the creator's handle");
    drop((region, second));
    assert_error(SharedMemory::open(&name), ErrorKind::NotFound, "cannot open");
    SharedMemory::create(&name, 10).unwrap().map().unwrap().read_at(9, &mut byte).unwrap();
    assert_eq!(byte, [0], "new memory");
}

#[test]
fn a_region_stays_valid_without_its_handle() {
    let name = Unique::new();
    let memory = SharedMemory::create(&name, 10).unwrap();
    let (one, other) = (memory.map().unwrap(), memory.map().unwrap());
    drop(memory);
    one.fill(.., 7).unwrap();
    let mut byte = [0];
    other.read_at(9, &mut byte).unwrap();
    assert_eq!(byte, [7]);
    drop(one);
    SharedMemory::open(&name).expect("the name stays with the region").map().unwrap();
}

#[test]
fn memory_for_all_sessions_has_a_global_name() {
    let name = Unique::new();
    let global = SharedMemory::options().all_sessions();
    let memory = global.create(&name, 10).unwrap();
    assert_eq!(memory.name(), Some(&*name));
    SharedMemory::open(&format!(r"Global\{}", &*name)).unwrap();
    global.open(&format!(r"Global\{}", &*name)).unwrap();
    global.open(&name).unwrap();
    assert_eq!(SharedMemory::open(&name).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_name_is_local_to_the_session_by_default() {
    let name = Unique::new();
    let memory = SharedMemory::create(&format!("/{}", &*name), 10).unwrap();
    memory.map().unwrap().write_at(3, b"abc").unwrap();
    let mut bytes = [0; 3];
    let local = SharedMemory::open(&format!(r"Local\{}", &*name)).unwrap();
    local.map().unwrap().read_at(3, &mut bytes).unwrap();
    assert_eq!(&bytes, b"abc");
    for name in [r"a\b", r"Local\", r"Global\a\b", r"Session\1\a"] {
        assert_error(SharedMemory::open(name), ErrorKind::InvalidName, "cannot use the name");
    }
}

#[test]
fn another_kind_of_object_of_the_name_is_refused_with_the_reason() {
    let name = Unique::new();
    let wide: Vec<u16> = name.encode_utf16().chain([0]).collect();
    // SAFETY: there are no attributes, and the name ends in 0 and lives during the call.
    let event = unsafe { CreateEventW(ptr::null(), 1, 0, wide.as_ptr()) };
    assert!(!event.is_null());
    let why = "the name belongs to an event";
    assert_error(SharedMemory::open(&name), ErrorKind::WrongKind, why);
    assert_error(SharedMemory::create(&name, 10), ErrorKind::WrongKind, why);
    assert_error(SharedMemory::open_or_create(&name, 10), ErrorKind::WrongKind, why);
    // SAFETY: the handle is open, and not used again.
    unsafe { CloseHandle(event) };
}
