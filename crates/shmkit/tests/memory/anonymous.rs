//! Memory without a name: inherited, passed on, sealed.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::File;
use std::process::Stdio;

use shmkit::ErrorKind;
use shmkit::memory::{Seal, SharedMemory};

use crate::{child, refused, task, whole};

#[test]
fn it_has_no_name_and_its_size() {
    let memory = SharedMemory::anonymous(100).unwrap();
    let size = whole(100);
    assert_eq!((memory.name(), memory.size().unwrap(), memory.is_read_only()), (None, size, false));
    memory.map().unwrap().fill(.., 1).unwrap();
    let message =
        format!("cannot map \"<anonymous>\": 1 bytes at {size} are not within its {size}");
    refused(memory.region().offset(size).length(1).map(), ErrorKind::OutOfRange, &message);
}

/// What the process was given as its standard input.
fn standard_input() -> File {
    #[cfg(unix)]
    let input = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned();
    #[cfg(windows)]
    let input = std::os::windows::io::AsHandle::as_handle(&std::io::stdin()).try_clone_to_owned();
    input.unwrap().into()
}

#[test]
fn its_descriptor_can_be_passed_on_and_its_size_relied_on() {
    if task().is_some() {
        let memory = SharedMemory::from_file(standard_input()).unwrap();
        assert!(memory.is_sealed(Seal::Size).unwrap());
        for size in [0, 99, 101] {
            let kind = match cfg!(windows) {
                true => ErrorKind::Unsupported,
                false => ErrorKind::PermissionDenied,
            };
            refused(memory.set_size(size), kind, "cannot set the size of");
        }
        memory.map().unwrap().write_at(0, b"from the child").unwrap();
        return;
    }
    let memory = SharedMemory::anonymous(100).unwrap();
    // No section has another size.
    assert_eq!(memory.is_sealed(Seal::Size).unwrap(), cfg!(windows));
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
fn a_pipe_is_not_taken() {
    let (end, _other) = std::io::pipe().unwrap();
    #[cfg(unix)]
    let pipe = File::from(std::os::fd::OwnedFd::from(end));
    #[cfg(windows)]
    let pipe = File::from(std::os::windows::io::OwnedHandle::from(end));
    refused(SharedMemory::from_file(pipe), ErrorKind::WrongKind, "it is a FIFO");
}
