//! Files in `/dev/shm`, the directory of `shm_open`.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory;
use crate::sys::opening::Opening;
use crate::sys::status::{FileType, Identity};

fn path(name: &str) -> PathBuf {
    directory::default_path().join(name)
}

/// Returns the name under which every session of the machine finds the memory.
pub(crate) fn global_name(name: &str) -> Cow<'_, str> {
    name.into()
}

/// Returns the size of memory that is created with size `size`.
pub(crate) fn rounded_size(size: u64) -> u64 {
    size
}

/// Creates memory, all zeros, with these permission bits. Unless it `is_sparse`, its space is
/// committed. An existing name gives `AlreadyExists`.
pub(crate) fn create(name: &str, size: u64, mode: u32, is_sparse: bool) -> Result<File> {
    let created = match is_sparse {
        true => directory::create_sparse(&path(name), size, mode),
        false => directory::create_whole(&path(name), size, mode),
    };
    created.map_err(or_without_directory)
}

/// The permission bit that marks memory that is removed with its last user: the sticky bit, which
/// means nothing for a file that is no directory.
const WHILE_USED: u32 = 0o1000;

/// Returns the permission bits of memory that is removed with its last user.
pub(crate) fn while_used_mode(mode: u32) -> Result<u32> {
    Ok(mode | WHILE_USED)
}

/// Returns whether the permission bits say that the memory is removed with its last user.
pub(crate) fn is_while_used(mode: u32) -> bool {
    mode & WHILE_USED != 0
}

/// Adds to an error that the directory itself is missing, and what to do.
#[cold]
fn or_without_directory(error: Error) -> Error {
    let place = directory::default_path();
    if error.kind() != ErrorKind::NotFound || place.is_dir() {
        return error;
    }
    let place = place.display();
    error.because(format!(
        "no directory {place}: mount a file system in memory there (mount -t tmpfs tmpfs {place})"
    ))
}

/// Opens memory.
pub(crate) fn open(name: &str, opening: Opening) -> Result<File> {
    match opening {
        // Without a file system in memory there, the directory can be on overlayfs.
        Opening::ReadOnly => directory::open_to_follow(&path(name), directory::open),
        Opening::ReadWrite => directory::open(&path(name), opening),
    }
    .map_err(or_without_directory)
}

/// Removes the name.
pub(crate) fn remove(name: &str) -> Result<()> {
    if directory::status_of_name(&path(name))?.file_type == FileType::Directory {
        return Err(Error::new(ErrorKind::WrongKind, "it is a directory"));
    }
    directory::unlink(&path(name))
}

/// Returns whether the name does not lead to this memory any more.
pub(crate) fn is_removed(name: &str, identity: Identity) -> Result<bool> {
    match directory::status_of_name(&path(name)) {
        Ok(status) => Ok(status.identity != identity),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Opens the file of a memory a second time: a new open file description, whose locks prove that a
/// participant lives. All that have the memory have this file.
pub(crate) fn liveness_file(memory: &File, _tag: u64) -> Result<File> {
    let link = PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd()));
    let opened = File::options().read(true).write(true).open(link);
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::from_os(error)
            .of_kind(ErrorKind::Unsupported)
            .because("the memory cannot be opened for locks, since /proc is not mounted"),
        _ => Error::from_os(error).because("the memory cannot be opened for locks"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_in_the_directory_of_shm_open() {
        assert_eq!(path("MySharedMemory"), std::path::Path::new("/dev/shm/MySharedMemory"));
    }
}
