//! `F_PREALLOCATE`; what memory of `shm_open` is beside files.

#![allow(unsafe_code, reason = "rustix does not set space aside at the end alone: fcntl by libc")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use rustix::io::Errno;

use super::SealKind;
use super::unix::{check_limit, write_zeros};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory::{self, FileType, Status};
use crate::sys::memory;

/// Memory without a name, gone with its last descriptor and mapping.
pub(crate) fn anonymous(_label: &str, size: u64) -> Result<File> {
    memory::new_unnamed(size)
}

/// What the system says of a file or of memory.
pub(crate) fn status(file: &File) -> Result<Status> {
    let status = directory::status(file)?;
    if !memory::is_memory(file)? {
        return Ok(status);
    }
    // Of memory the system tells its size, its owner and its rights.
    Ok(Status { links: 1, committed: status.size, file_type: FileType::Regular, ..status })
}

/// Makes the file shorter: `to` bytes long.
pub(crate) fn cut(file: &File, to: u64) -> Result<()> {
    if memory::is_memory(file)? {
        return memory::set_size(file, to);
    }
    file.set_len(to).map_err(Error::from_os)
}

/// Rules `kind` out from now on, for all.
pub(crate) fn seal(file: &File, kind: SealKind) -> Result<()> {
    if is_sealed(file, kind)? {
        return Ok(());
    }
    let why = "macOS has no seals: hand out a descriptor that may only read";
    Err(Error::new(ErrorKind::Unsupported, why))
}

/// Whether `kind` is ruled out: no memory that has a size gets another.
pub(crate) fn is_sealed(file: &File, kind: SealKind) -> Result<bool> {
    Ok(kind == SealKind::Resizing && memory::is_memory(file)? && directory::status(file)?.size > 0)
}

/// Makes the file `to` bytes long, with space for each byte from `from`, its end until now. Memory
/// gets its size.
pub(crate) fn commit(file: &File, from: u64, to: u64) -> Result<()> {
    if from >= to {
        return Ok(());
    }
    if memory::is_memory(file)? {
        return memory::set_size(file, to);
    }
    check_limit(to)?;
    match set_space_aside(file, to - from) {
        Ok(()) => {}
        Err(Errno::OPNOTSUPP | Errno::NOTSUP) => return write_zeros(file, from, to),
        Err(error) => return Err(not_committed(error.into(), to)),
    }
    // Another may have made it longer meanwhile.
    if directory::status(file)?.size < to {
        file.set_len(to).map_err(|error| not_committed(error, to))?;
    }
    Ok(())
}

/// All of so many bytes behind the file's end, or none.
fn set_space_aside(file: &File, bytes: u64) -> rustix::io::Result<()> {
    let mut request = libc::fstore_t {
        fst_flags: libc::F_ALLOCATEALL,
        fst_posmode: libc::F_PEOFPOSMODE,
        fst_offset: 0,
        fst_length: i64::try_from(bytes).map_err(|_| Errno::FBIG)?,
        fst_bytesalloc: 0,
    };
    loop {
        // SAFETY: `file` keeps the descriptor open, and the command takes an `fstore_t` that it
        // may write to.
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
    // What is beyond all bounds is too large, or no number of the system's.
    let too_large = [Errno::NOSPC, Errno::DQUOT, Errno::FBIG];
    let no_number = error.kind() == io::ErrorKind::InvalidInput;
    if no_number || Errno::from_io_error(&error).is_some_and(|errno| too_large.contains(&errno)) {
        let why = format!("no space for {to} bytes");
        return Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why);
    }
    Error::from_os(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_has_one_size_for_ever_and_a_file_has_not() {
        let memory = anonymous("", 5_000).unwrap();
        let size = status(&memory).unwrap().size;
        assert_eq!(size, memory::whole_size(5_000));
        assert_eq!(status(&memory).unwrap().file_type, FileType::Regular);
        assert!(is_sealed(&memory, SealKind::Resizing).unwrap());
        assert!(!is_sealed(&memory, SealKind::NewWriters).unwrap());
        cut(&memory, 5_000).expect("that is its size");
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
