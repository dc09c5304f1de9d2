//! Memory under a name that is a section: in whole pages, never resized, gone with its last handle.

use std::ptr;

use shmkit::ErrorKind;
use shmkit::memory::{Region, Seal, SharedMemory};
use windows_sys::Win32::Foundation::CloseHandle;
use windows_sys::Win32::System::Threading::CreateEventW;

use crate::{Unique, refused};

#[test]
fn its_size_is_in_whole_pages_and_stays() {
    let name = Unique::new();
    let page = Region::page_size() as u64;
    let memory = SharedMemory::create(&name, 100).unwrap();
    assert_eq!(memory.size().unwrap(), page);
    assert_eq!(memory.map().unwrap().len() as u64, page);
    // What the others had asked for is in no section.
    assert_eq!(SharedMemory::open_or_create(&name, 200).unwrap().size().unwrap(), page);
    for size in [0, 50, 2 * page] {
        refused(memory.set_size(size), ErrorKind::Unsupported, "keeps the size it was made with");
    }
    assert!(memory.is_sealed(Seal::Size).unwrap() && !memory.is_sealed(Seal::NewWriters).unwrap());
    memory.seal(Seal::Size).unwrap();
    refused(memory.seal(Seal::NewWriters), ErrorKind::Unsupported, "Windows has no seals");
    let none = "Windows has no memory of 0 bytes";
    refused(SharedMemory::create(&Unique::new(), 0), ErrorKind::InvalidArgument, none);
}

#[test]
fn it_is_not_removed_but_goes_with_its_last_handle() {
    let name = Unique::new();
    let memory = SharedMemory::create(&name, 10).unwrap();
    let region = memory.map().unwrap();
    region.fill(.., 7).unwrap();
    let why = "Windows keeps the name for as long as anybody has the memory";
    refused(SharedMemory::remove(&name), ErrorKind::Unsupported, why);
    let second = SharedMemory::open(&name).unwrap();
    drop(memory);
    let mut byte = [0];
    SharedMemory::open(&name).unwrap().map().unwrap().read_at(9, &mut byte).unwrap();
    assert_eq!(byte, [7], "the creator is not needed any more");
    drop((region, second));
    refused(SharedMemory::open(&name), ErrorKind::NotFound, "cannot open");
    SharedMemory::create(&name, 10).unwrap().map().unwrap().read_at(9, &mut byte).unwrap();
    assert_eq!(byte, [0], "it is another");
}

#[test]
fn a_region_goes_on_without_its_handle() {
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
fn what_is_for_all_sessions_is_global() {
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
fn a_name_is_the_session_s_unless_it_says_otherwise() {
    let name = Unique::new();
    let memory = SharedMemory::create(&format!("/{}", &*name), 10).unwrap();
    memory.map().unwrap().write_at(3, b"abc").unwrap();
    let mut bytes = [0; 3];
    let local = SharedMemory::open(&format!(r"Local\{}", &*name)).unwrap();
    local.map().unwrap().read_at(3, &mut bytes).unwrap();
    assert_eq!(&bytes, b"abc");
    for name in [r"a\b", r"Local\", r"Global\a\b", r"Session\1\a"] {
        refused(SharedMemory::open(name), ErrorKind::InvalidName, "cannot use the name");
    }
}

#[test]
fn what_is_no_memory_is_refused_in_words() {
    let name = Unique::new();
    let wide: Vec<u16> = name.encode_utf16().chain([0]).collect();
    // SAFETY: no attributes; the name lives during the call.
    let event = unsafe { CreateEventW(ptr::null(), 1, 0, wide.as_ptr()) };
    assert!(!event.is_null());
    let why = "something else than memory has the name";
    refused(SharedMemory::open(&name), ErrorKind::WrongKind, why);
    refused(SharedMemory::create(&name, 10), ErrorKind::WrongKind, why);
    refused(SharedMemory::open_or_create(&name, 10), ErrorKind::WrongKind, why);
    // SAFETY: open, and not used any more.
    unsafe { CloseHandle(event) };
}
