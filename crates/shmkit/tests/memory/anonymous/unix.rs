//! Memory without a name on systems with `fork`, seals and resizing.

use std::fs::File;

use shmkit::ErrorKind;
use shmkit::memory::{Seal, SharedMemory};

use crate::{Unique, assert_error};

#[test]
fn the_size_can_be_changed() {
    let memory = SharedMemory::anonymous(100).unwrap();
    memory.set_size(200).unwrap();
    assert_eq!(memory.map().unwrap().len(), 200);
    let message = "cannot map \"<anonymous>\": 1 bytes at 200 are outside its 200 bytes";
    assert_error(memory.region().offset(200).length(1).map(), ErrorKind::OutOfRange, message);
}

#[test]
fn a_forked_child_shares_region_and_handle() {
    let memory = SharedMemory::anonymous(2).unwrap();
    let region = memory.map().unwrap();
    // SAFETY: the child uses nothing that another thread may have locked, and ends by `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let wrote = region.write_at(0, &[1]).is_ok()
            && memory.region().offset(1).map().is_ok_and(|own| own.write_at(0, &[2]).is_ok());
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(if wrote { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: waits for the child, and writes to a local.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    let mut bytes = [0; 2];
    region.read_at(0, &mut bytes).unwrap();
    assert_eq!((status, bytes), (0, [1, 2]));
}

#[test]
fn a_seal_against_new_writers_spares_existing_ones() {
    let memory = SharedMemory::anonymous(10).unwrap();
    let writer = memory.map().unwrap();
    memory.seal(Seal::NewWriters).unwrap();
    assert!(memory.is_sealed(Seal::NewWriters).unwrap());
    assert!(!memory.is_sealed(Seal::Size).unwrap());
    assert_error(memory.map(), ErrorKind::PermissionDenied, "or a seal forbids it");
    let reader = memory.region().read_only().map().unwrap();
    writer.fill(.., 5).unwrap();
    let mut bytes = [0; 10];
    reader.read_at(0, &mut bytes).unwrap();
    assert_eq!(bytes, [5; 10]);
}

#[test]
fn a_directory_is_refused_and_named_memory_has_no_seals() {
    let directory = File::open("/").unwrap();
    assert_error(SharedMemory::from_file(directory), ErrorKind::WrongKind, "it is a directory");

    let name = Unique::new();
    let named = SharedMemory::create(&name, 1).unwrap();
    let why = "this file cannot be sealed";
    assert_error(named.seal(Seal::Size), ErrorKind::Unsupported, why);
    assert!(!named.is_sealed(Seal::Size).unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn more_memory_than_the_machine_has_is_refused() {
    const SIZE: u64 = 1 << 46;
    let why = format!("no space for {SIZE} bytes: the machine has ");
    let memory = SharedMemory::anonymous(100).unwrap();
    let refused = [SharedMemory::anonymous(SIZE).map(drop), memory.set_size(SIZE + 100)];
    for error in refused.map(|answer| answer.expect_err("the machine has less")) {
        assert!(error.kind() == ErrorKind::OutOfSpace && error.reason().contains(&why), "{error}");
    }
    assert_eq!(memory.size().unwrap(), 100);
}
