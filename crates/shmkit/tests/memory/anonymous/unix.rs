//! Memory without a name as only systems have it that fork, seal and resize.

use std::fs::File;

use shmkit::ErrorKind;
use shmkit::memory::{Seal, SharedMemory};

use crate::{Unique, refused};

#[test]
fn its_size_can_be_set_later() {
    let memory = SharedMemory::anonymous(100).unwrap();
    memory.set_size(200).unwrap();
    assert_eq!(memory.map().unwrap().len(), 200);
    let message = "cannot map \"<anonymous>\": 1 bytes at 200 are not within its 200";
    refused(memory.region().offset(200).length(1).map(), ErrorKind::OutOfRange, message);
}

#[test]
fn a_forked_child_shares_region_and_handle() {
    let memory = SharedMemory::anonymous(2).unwrap();
    let region = memory.map().unwrap();
    // SAFETY: the child calls nothing that another thread's lock could hold up, and ends by
    // `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let wrote = region.write_at(0, &[1]).is_ok()
            && memory.region().offset(1).map().is_ok_and(|own| own.write_at(0, &[2]).is_ok());
        // SAFETY: ends the process, without running what the parent will run.
        unsafe { libc::_exit(if wrote { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: the child is ours, and `status` is a place for an `int`.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    let mut bytes = [0; 2];
    region.read_at(0, &mut bytes).unwrap();
    assert_eq!((status, bytes), (0, [1, 2]));
}

#[test]
fn sealed_against_new_writers_it_is_written_by_the_old_ones_alone() {
    let memory = SharedMemory::anonymous(10).unwrap();
    let writer = memory.map().unwrap();
    memory.seal(Seal::NewWriters).unwrap();
    assert!(memory.is_sealed(Seal::NewWriters).unwrap());
    assert!(!memory.is_sealed(Seal::Size).unwrap());
    refused(memory.map(), ErrorKind::PermissionDenied, "sealed against it");
    let reader = memory.region().read_only().map().unwrap();
    writer.fill(.., 5).unwrap();
    let mut bytes = [0; 10];
    reader.read_at(0, &mut bytes).unwrap();
    assert_eq!(bytes, [5; 10]);
}

#[test]
fn a_directory_is_not_taken_and_named_memory_takes_no_seals() {
    let directory = File::open("/").unwrap();
    refused(SharedMemory::from_file(directory), ErrorKind::WrongKind, "it is a directory");

    let name = Unique::new();
    let named = SharedMemory::create(&name, 1).unwrap();
    let why = "it takes no seals";
    refused(named.seal(Seal::Size), ErrorKind::Unsupported, why);
    assert!(!named.is_sealed(Seal::Size).unwrap());
}
