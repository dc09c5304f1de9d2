use std::os::fd::{FromRawFd, RawFd};

use super::*;
use crate::sys::fork::unix::files::refers_to;

fn open_again(path: &std::path::Path) -> Result<(File, Status)> {
    let file = File::open(path).map_err(Error::from_os)?;
    let status = status::status(&file)?;
    Ok((file, status))
}

/// A file of the library, and its path.
fn owned() -> (OwnedFile, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (owned, _) = OwnedFile::open(|| open_again(file.path())).unwrap();
    (owned, file)
}

/// Opens `path` under the number of `lost`, as after `closefrom`.
fn put_under_number_of(lost: &OwnedFile, path: &std::path::Path) -> RawFd {
    let file = File::open(path).unwrap();
    // SAFETY: `dup2` has no pointers, and only the test's own file loses its number.
    assert_ne!(unsafe { libc::dup2(file.as_raw_fd(), lost.as_raw_fd()) }, -1);
    lost.as_raw_fd()
}

/// The owner of a descriptor that no other value closes.
fn file_of(number: RawFd) -> File {
    // SAFETY: the callers open the number, and leave it to this value.
    unsafe { File::from_raw_fd(number) }
}

fn assert_lost<T: std::fmt::Debug>(answer: Result<T>) {
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::RoleLost);
}

#[test]
fn a_file_closes_its_descriptor() {
    let (file, path) = owned();
    file.check_open().unwrap();
    let (number, identity) = (file.as_raw_fd(), file.identity());
    drop(path);
    drop(file);
    assert!(!refers_to(number, identity));
}

#[test]
fn another_file_under_the_number_is_neither_used_nor_closed() {
    let (lost, _path) = owned();
    let other = tempfile::NamedTempFile::new().unwrap();
    let other = file_of(put_under_number_of(&lost, other.path()));
    assert_lost(lost.status());
    assert_lost(lost.check_open());
    drop(lost);
    assert!(other.metadata().is_ok());

    let (lost, _path) = owned();
    let other = file_of(put_under_number_of(&lost, std::path::Path::new("/dev/null")));
    assert_lost(lost.into_file());
    assert!(other.metadata().is_ok());
}

#[test]
fn the_same_file_under_the_number_belongs_to_the_handle_that_opened_it_last() {
    let (lost, path) = owned();
    let (last, _) = OwnedFile::open(|| {
        let file = file_of(put_under_number_of(&lost, path.path()));
        let status = status::status(&file)?;
        Ok((file, status))
    })
    .unwrap();
    assert_lost(lost.check_open());
    drop(lost);
    last.check_open().unwrap();
    let (lost, _path) = owned();
    let last = last.into_file().unwrap();
    assert!(last.metadata().is_ok());
    lost.check_open().unwrap();
}

#[test]
fn a_status_that_cannot_be_read_is_no_closed_descriptor() {
    let (file, _path) = owned();
    let failed = |errno: Errno| file.check_status(Err(Error::from_os(errno))).unwrap_err();
    assert_eq!(failed(Errno::BADF).kind(), ErrorKind::RoleLost);
    let error = failed(Errno::IO);
    assert_eq!(error.kind(), ErrorKind::Os);
    assert!(error.to_string().contains("the status of its file cannot be read"), "{error}");
    file.check_open().unwrap();
}
