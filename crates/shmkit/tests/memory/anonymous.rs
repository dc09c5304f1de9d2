//! Memory without a name: inherited, passed to a child, sealed.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::File;
use std::process::Stdio;

use shmkit::ErrorKind;
use shmkit::memory::{Seal, SharedMemory};

use crate::{actual_size, assert_error, child, task};

#[test]
fn anonymous_memory_has_no_name_and_the_requested_size() {
    let memory = SharedMemory::anonymous(100).unwrap();
    let size = actual_size(100);
    assert_eq!((memory.name(), memory.size().unwrap(), memory.is_read_only()), (None, size, false));
    assert!(memory.was_created());
    memory.map().unwrap().fill(.., 1).unwrap();
    let message =
        format!("cannot map \"<anonymous>\": 1 bytes at {size} are outside its {size} bytes");
    assert_error(memory.region().offset(size).length(1).map(), ErrorKind::OutOfRange, &message);
}

/// The file that the parent passed as standard input.
fn standard_input() -> File {
    #[cfg(unix)]
    let input = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned();
    #[cfg(windows)]
    let input = std::os::windows::io::AsHandle::as_handle(&std::io::stdin()).try_clone_to_owned();
    input.unwrap().into()
}

#[test]
fn a_child_gets_the_memory_by_its_descriptor_and_can_rely_on_its_size() {
    if task().is_some() {
        let memory = SharedMemory::from_file(standard_input()).unwrap();
        assert!(!memory.was_created());
        assert!(memory.is_sealed(Seal::Size).unwrap());
        for size in [0, 99, 101] {
            let kind = match cfg!(windows) {
                true => ErrorKind::Unsupported,
                false => ErrorKind::PermissionDenied,
            };
            assert_error(memory.set_size(size), kind, "cannot set the size of");
        }
        memory.map().unwrap().write_at(0, b"from the child").unwrap();
        return;
    }
    let memory = SharedMemory::anonymous(100).unwrap();
    // A section of Windows never changes its size.
    assert_eq!(memory.is_sealed(Seal::Size).unwrap(), cfg!(windows));
    memory.seal(Seal::Size).unwrap();
    let region = memory.map().unwrap();
    let test = "anonymous::a_child_gets_the_memory_by_its_descriptor_and_can_rely_on_its_size";
    let status =
        child(test, "write").stdin(Stdio::from(memory.into_file().unwrap())).status().unwrap();
    assert!(status.success());
    let mut bytes = [0; 14];
    region.read_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"from the child");
}

#[test]
fn a_pipe_is_refused() {
    let (end, _other) = std::io::pipe().unwrap();
    #[cfg(unix)]
    let pipe = File::from(std::os::fd::OwnedFd::from(end));
    #[cfg(windows)]
    let pipe = File::from(std::os::windows::io::OwnedHandle::from(end));
    assert_error(SharedMemory::from_file(pipe), ErrorKind::WrongKind, "it is a FIFO");
}
