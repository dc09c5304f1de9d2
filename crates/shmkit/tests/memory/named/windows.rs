//! Named memory as a section: in whole pages, of a constant size, removed with its last handle.

use std::fs;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use shmkit::ErrorKind;
use shmkit::memory::{Region, Seal, SharedMemory};
use windows_sys::Win32::Foundation::{CloseHandle, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Memory::{CreateFileMappingW, PAGE_READWRITE};
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
    let memory = SharedMemory::create(&name, 10).unwrap();
    memory.map().unwrap().write_at(3, b"abc").unwrap();
    let mut bytes = [0; 3];
    let local = SharedMemory::open(&format!(r"Local\{}", &*name)).unwrap();
    local.map().unwrap().read_at(3, &mut bytes).unwrap();
    assert_eq!(&bytes, b"abc");
    for name in [r"a\b", r"Local\", r"Global\a\b", r"Session\1\a"] {
        assert_error(SharedMemory::open(name), ErrorKind::InvalidName, "cannot use the name");
    }
}

/// Creates a section as other programs do: of the page file, or of a file.
fn other_section(file: Option<&fs::File>, bytes: u32, name: &str) -> OwnedHandle {
    let wide: Vec<u16> = name.encode_utf16().chain([0]).collect();
    let file = file.map_or(INVALID_HANDLE_VALUE, |file| file.as_raw_handle());
    // SAFETY: the file, if any, is open; the name ends in 0 and lives during the call.
    let section =
        unsafe { CreateFileMappingW(file, ptr::null(), PAGE_READWRITE, 0, bytes, wide.as_ptr()) };
    assert!(!section.is_null(), "{}", std::io::Error::last_os_error());
    // SAFETY: the handle is new, and owned here alone.
    unsafe { OwnedHandle::from_raw_handle(section) }
}

#[test]
fn names_of_other_programs_are_taken_as_they_are() {
    let unique = Unique::new();
    let [slash, path] = [format!("/{}", &*unique), format!("{}/a.shmkit", &*unique)];
    let _sections = [other_section(None, 10, &slash), other_section(None, 10, &path)];
    let memory = SharedMemory::open(&slash).unwrap();
    assert_eq!(memory.name(), Some(&*slash));
    SharedMemory::open(&path).unwrap();
    assert_error(SharedMemory::open(&unique), ErrorKind::NotFound, "cannot open");
    assert_error(SharedMemory::create(&path, 10), ErrorKind::AlreadyExists, "the name is taken");
}

#[test]
fn a_section_of_a_file_that_is_not_whole_pages_can_be_read_and_written() {
    let directory = tempfile::tempdir().unwrap();
    for bytes in [10, 4_096, 5_000, 65_536, 70_000] {
        let (name, path) = (Unique::new(), directory.path().join(bytes.to_string()));
        fs::write(&path, vec![1; bytes]).unwrap();
        let file = fs::File::options().read(true).write(true).open(&path).unwrap();
        let section = other_section(Some(&file), 0, &name);
        let memory = SharedMemory::open(&name).unwrap();
        let size = memory.size().unwrap() as usize;
        assert_eq!(size, bytes.next_multiple_of(Region::page_size()));
        let (region, own) = (memory.map().unwrap(), memory.region().copy_on_write().map().unwrap());
        region.write_at(bytes - 1, &[7]).unwrap();
        let last = memory.region().offset(size as u64 - 4_096).map().unwrap();
        let mut byte = [0];
        last.read_at(bytes - 1 - (size - 4_096), &mut byte).unwrap();
        assert_eq!(byte, [7], "{bytes} bytes");
        let read_only = SharedMemory::options().read_only().open(&name).unwrap();
        assert_eq!(read_only.map().unwrap().len(), size);
        let why = "outside";
        let beyond = memory.region().offset(size as u64).length(4_096).map();
        assert_error(beyond, ErrorKind::OutOfRange, why);
        drop((own, last, region, memory, read_only, section, file));
        assert_eq!(fs::read(&path).unwrap()[bytes - 1], 7);
        assert_eq!(fs::metadata(&path).unwrap().len(), bytes as u64);
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
