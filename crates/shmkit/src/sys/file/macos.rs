//! `F_PREALLOCATE`; memory of `shm_open`, which is not a file.

#![allow(unsafe_code, reason = "rustix cannot preallocate at the end of a file: fcntl by libc")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use rustix::io::Errno;

use super::SealKind;
use super::unix::{check_limit, write_zeros};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::memory;
use crate::sys::status::{self, FileType, Status};

/// Creates memory without a name, which disappears with its last descriptor and mapping.
pub(crate) fn anonymous(_label: &str, size: u64) -> Result<File> {
    memory::new_unnamed(size)
}

/// Returns what the system reports about a file or memory.
pub(crate) fn status(file: &File) -> Result<Status> {
    let status = status::status(file)?;
    if !memory::is_memory(file)? {
        return Ok(status);
    }
    // For memory the system reports only the size, the owner and the rights.
    Ok(Status { links: 1, committed: status.size, file_type: FileType::Regular, ..status })
}

/// Shrinks the file to `to` bytes.
pub(crate) fn shrink(file: &File, to: u64) -> Result<()> {
    if memory::is_memory(file)? {
        return memory::set_size(file, to);
    }
    file.set_len(to).map_err(Error::from_os)
}

/// Sets a seal: macOS has none, so this only confirms what holds already.
pub(crate) fn seal(file: &File, kind: SealKind) -> Result<()> {
    if is_sealed(file, kind)? {
        return Ok(());
    }
    let why = "macOS has no seals: give other processes a read-only descriptor";
    Err(Error::new(ErrorKind::Unsupported, why))
}

/// Returns whether `kind` is impossible: memory that has a size keeps it.
pub(crate) fn is_sealed(file: &File, kind: SealKind) -> Result<bool> {
    Ok(kind == SealKind::Resizing && memory::is_memory(file)? && status::status(file)?.size > 0)
}

/// Extends the file from `from`, its present size, to `to` bytes, and allocates space for them.
/// Sets the size of memory.
pub(crate) fn commit(file: &File, from: u64, to: u64) -> Result<()> {
    if from >= to {
        return Ok(());
    }
    if memory::is_memory(file)? {
        return memory::set_size(file, to);
    }
    check_limit(to)?;
    match preallocate(file, to - from) {
        Ok(()) => {}
        Err(Errno::OPNOTSUPP | Errno::NOTSUP) => return write_zeros(file, from, to),
        Err(error) => return Err(not_committed(error.into(), to)),
    }
    // Another process may have extended the file meanwhile.
    if status::status(file)?.size < to {
        file.set_len(to).map_err(|error| not_committed(error, to))?;
    }
    Ok(())
}

/// Allocates space for bytes that the file has: memory here has it from the start.
pub(crate) fn fill_holes(_file: &File, _from: u64, _to: u64) -> Result<()> {
    Ok(())
}

/// Allocates all of `bytes` bytes after the end of the file, or none.
fn preallocate(file: &File, bytes: u64) -> rustix::io::Result<()> {
    let mut request = libc::fstore_t {
        fst_flags: libc::F_ALLOCATEALL,
        fst_posmode: libc::F_PEOFPOSMODE,
        fst_offset: 0,
        fst_length: i64::try_from(bytes).map_err(|_| Errno::FBIG)?,
        fst_bytesalloc: 0,
    };
    loop {
        // SAFETY: `file` keeps the descriptor open, and the command takes an `fstore_t`, which it
        // may change.
        let answer =
            unsafe { libc::fcntl(file.as_raw_fd(), libc::F_PREALLOCATE, &raw mut request) };
        if answer != -1 {
            return Ok(());
        }
        match Errno::from_io_error(&io::Error::last_os_error()) {
            Some(Errno::INTR) => {}
            error => return Err(error.unwrap_or(Errno::IO)),
        }
    }
}

#[cold]
fn not_committed(error: io::Error, to: u64) -> Error {
    // A size beyond the limits gives one of these, one that no `off_t` can hold EINVAL.
    let too_large = [Errno::NOSPC, Errno::DQUOT, Errno::FBIG];
    let invalid = error.kind() == io::ErrorKind::InvalidInput;
    if invalid || Errno::from_io_error(&error).is_some_and(|errno| too_large.contains(&errno)) {
        let why = format!("no space for {to} bytes");
        return Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why);
    }
    Error::from_os(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_keeps_its_size_and_a_file_does_not() {
        let memory = anonymous("", 5_000).unwrap();
        let size = status(&memory).unwrap().size;
        assert_eq!(size, memory::rounded_size(5_000));
        assert_eq!(status(&memory).unwrap().file_type, FileType::Regular);
        assert!(is_sealed(&memory, SealKind::Resizing).unwrap());
        assert!(!is_sealed(&memory, SealKind::NewWriters).unwrap());
        shrink(&memory, 5_000).expect("that is its size already");
        assert_eq!(commit(&memory, size, 2 * size).unwrap_err().kind(), ErrorKind::Unsupported);

        let file = tempfile::tempfile().unwrap();
        commit(&file, 0, 5_000).unwrap();
        commit(&file, 5_000, 70_000).unwrap();
        assert_eq!(status(&file).unwrap().size, 70_000);
        assert!(status(&file).unwrap().committed >= 70_000);
        assert_eq!(commit(&file, 70_000, u64::MAX).unwrap_err().kind(), ErrorKind::OutOfSpace);
        assert!(!is_sealed(&file, SealKind::Resizing).unwrap());
    }
}
