//! FIFOs, links and modes; the older locks, which belong to a process.

use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use super::*;

#[test]
fn a_new_file_is_its_owner_s_alone() {
    let object_file = ObjectFile::new();
    drop(object_file.handle());
    assert_eq!(fs::metadata(object_file.path()).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_fifo_and_a_device_are_refused_in_words_and_not_waited_for() {
    let object_file = ObjectFile::new();
    let path = object_file.path();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    refused(FileLock::open(&path), ErrorKind::WrongKind, &path, "it is a FIFO");
    refused(FileLock::open_or_create(&path), ErrorKind::WrongKind, &path, "it is a FIFO");
    let null = Path::new("/dev/null");
    refused(FileLock::open(null), ErrorKind::WrongKind, null, "it is a device");
}

#[test]
fn a_symbolic_link_is_followed_and_one_that_leads_to_nothing_is_told() {
    let object_file = ObjectFile::new();
    let link = object_file.path().with_file_name("link");
    symlink("it", &link).unwrap();
    let why = "a symbolic link whose target does not exist";
    refused(FileLock::open_or_create(&link), ErrorKind::NotFound, &link, why);
    let mut through_the_name = object_file.handle();
    let mut through_the_link = FileLock::open_or_create(&link).unwrap();
    let held = through_the_link.lock().unwrap();
    assert!(through_the_name.try_lock().unwrap().is_none());
    drop(held);
}

/// Locks as another program does by `fcntl(F_SETLK)`, or Boost: false if another lock excludes it.
fn set_plain_lock(file: &fs::File, operation: FlockOperation) -> bool {
    match fcntl_lock(file, operation) {
        Ok(()) => true,
        Err(Errno::AGAIN | Errno::ACCESS) => false,
        Err(error) => panic!("{error}"),
    }
}

const EXCLUSIVE: FlockOperation = FlockOperation::NonBlockingLockExclusive;
const SHARED: FlockOperation = FlockOperation::NonBlockingLockShared;

#[test]
fn plain_locks_of_fcntl_are_excluded_and_exclude() {
    let object_file = ObjectFile::new();
    let mut lock = object_file.handle();
    // Not closed before the end: that would release the process's plain locks on the file.
    let file = fs::File::options().read(true).write(true).open(object_file.path()).unwrap();

    let held = lock.lock().unwrap();
    assert!(!set_plain_lock(&file, EXCLUSIVE) && !set_plain_lock(&file, SHARED));
    drop(held);
    let held = lock.read().unwrap();
    assert!(!set_plain_lock(&file, EXCLUSIVE) && set_plain_lock(&file, SHARED));
    drop(held);

    assert!(lock.try_lock().unwrap().is_none());
    drop(lock.try_read().unwrap().expect("the plain lock is shared"));
    assert!(set_plain_lock(&file, EXCLUSIVE));
    assert!(lock.try_read().unwrap().is_none());
    assert!(set_plain_lock(&file, FlockOperation::Unlock));
    drop(lock.try_lock().unwrap().expect("it is free"));
}
