//! Memory without a name: inherited, passed on, sealed.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Stdio;

use shmkit::ErrorKind;
use shmkit::memory::{Seal, SharedMemory};

use crate::{child, refused, task};

#[test]
fn it_has_no_name_and_its_size() {
    let memory = SharedMemory::anonymous(100).unwrap();
    assert_eq!((memory.name(), memory.size().unwrap(), memory.is_read_only()), (None, 100, false));
    memory.map().unwrap().fill(.., 1).unwrap();
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
fn its_descriptor_can_be_passed_on_and_its_size_relied_on() {
    if task().is_some() {
        let received = File::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
        let memory = SharedMemory::from_file(received).unwrap();
        assert!(memory.is_sealed(Seal::Size).unwrap());
        for size in [0, 99, 101] {
            refused(memory.set_size(size), ErrorKind::PermissionDenied, "cannot set the size of");
        }
        memory.map().unwrap().write_at(0, b"from the child").unwrap();
        return;
    }
    let memory = SharedMemory::anonymous(100).unwrap();
    assert!(!memory.is_sealed(Seal::Size).unwrap());
    memory.seal(Seal::Size).unwrap();
    let region = memory.map().unwrap();
    let test = "anonymous::its_descriptor_can_be_passed_on_and_its_size_relied_on";
    let status = child(test, "write").stdin(Stdio::from(memory.into_file())).status().unwrap();
    assert!(status.success());
    let mut bytes = [0; 14];
    region.read_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"from the child");
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
fn only_memory_is_taken_and_only_anonymous_memory_is_sealed() {
    let (end, _other) = std::io::pipe().unwrap();
    let pipe = File::from(std::os::fd::OwnedFd::from(end));
    refused(SharedMemory::from_file(pipe), ErrorKind::WrongKind, "it is a FIFO");
    let directory = File::open("/").unwrap();
    refused(SharedMemory::from_file(directory), ErrorKind::WrongKind, "it is a directory");

    let name = crate::Unique::new();
    let named = SharedMemory::create(&name, 1).unwrap();
    let why = "it takes no seals";
    refused(named.seal(Seal::Size), ErrorKind::Unsupported, why);
    assert!(!named.is_sealed(Seal::Size).unwrap());
}
