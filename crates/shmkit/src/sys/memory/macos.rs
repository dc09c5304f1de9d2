//! Memory of `shm_open`: no file, and in no directory.
//!
//! It has whole pages, and gets its size once. It is mapped, and neither read nor written. Its
//! names cannot be listed, and stay until they are removed or the machine restarts.

#![allow(unsafe_code, reason = "rustix is built without shm_open: by libc")]

use std::borrow::Cow;
use std::ffi::{CString, c_int};
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;

use rustix::fs::{Mode, RawMode};

use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory::{self, Opening};
use crate::sys::mapping::page_size;
use crate::sys::process::random;

/// Bytes of a name without its `/` (`PSHMNAMLEN` is 31).
const LONGEST_NAME: usize = 30;

/// More than a process can map. The kernel makes a list of all parts before it says so.
const LARGEST: u64 = 1 << 47;

/// The name by which all sessions of the machine know it.
pub(crate) fn for_all_sessions(name: &str) -> Cow<'_, str> {
    name.into()
}

/// What is wrong with a name here, beyond the rules of all systems.
pub(crate) fn misses(name: &str) -> Option<&'static str> {
    (name.len() > LONGEST_NAME).then_some("macOS has names of at most 30 bytes")
}

/// The size that memory has which is made with this one: whole pages.
pub(crate) fn whole_size(size: u64) -> u64 {
    size.checked_next_multiple_of(page_size() as u64).unwrap_or(size)
}

/// The name as `shm_open` wants it.
fn slashed(name: &str) -> Result<CString> {
    CString::new(format!("/{name}"))
        .map_err(|_| Error::new(ErrorKind::InvalidName, "it has a zero byte"))
}

/// Makes memory, all 0, with these permission bits. An existing name stays: `AlreadyExists`.
///
/// Others can meet it before it has its size.
pub(crate) fn create(name: &str, size: u64, mode: u32) -> Result<File> {
    let new = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
    let memory = shm_open(name, new, mode)?;
    // The kernel applies no umask (as of macOS 15), and refuses this. Should that change, it is
    // right.
    let _ = rustix::fs::fchmod(&memory, Mode::from_raw_mode(mode as RawMode));
    // CRASH: dying before the size is set leaves memory of 0 bytes, which a region's bounds refuse.
    let sized = if size > 0 { set_size(&memory, size) } else { Ok(()) };
    if sized.is_err() {
        let _ = remove(name);
    }
    sized.map(|()| memory)
}

/// Memory without a name.
pub(crate) fn new_unnamed(size: u64) -> Result<File> {
    let name = format!("shmkit-{:016x}", u64::from_le_bytes(random()?));
    let new = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
    let memory = shm_open(&name, new, 0o600)?;
    // CRASH: dying here leaves a name without memory until the machine restarts.
    remove(&name)?;
    if size > 0 {
        set_size(&memory, size)?;
    }
    Ok(memory)
}

/// Opens memory.
pub(crate) fn open(name: &str, opening: Opening) -> Result<File> {
    let access = match opening {
        Opening::ReadOnly => libc::O_RDONLY,
        Opening::ReadWrite => libc::O_RDWR,
    };
    shm_open(name, access, 0)
}

fn shm_open(name: &str, flags: c_int, mode: u32) -> Result<File> {
    let name = slashed(name)?;
    // SAFETY: the name ends in zero and lives during the call.
    let descriptor = unsafe { libc::shm_open(name.as_ptr(), flags, mode) };
    if descriptor == -1 {
        let error = io::Error::last_os_error();
        let too_long = error.raw_os_error() == Some(libc::ENAMETOOLONG);
        let error = Error::from_os(error);
        return Err(if too_long { error.of_kind(ErrorKind::InvalidName) } else { error });
    }
    // It is closed when another program is executed, as POSIX demands.
    // SAFETY: open, and nobody else's: it was just made.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

/// Takes the name away.
pub(crate) fn remove(name: &str) -> Result<()> {
    let name = slashed(name)?;
    // SAFETY: the name ends in zero and lives during the call.
    if unsafe { libc::shm_unlink(name.as_ptr()) } == -1 {
        return Err(Error::from_os(io::Error::last_os_error()));
    }
    Ok(())
}

/// Whether a descriptor leads to memory, which of all that it can lead to is of no type.
pub(crate) fn is_memory(file: &File) -> Result<bool> {
    let stat = rustix::fs::fstat(file).map_err(Error::from_os)?;
    Ok(stat.st_mode & libc::S_IFMT == 0)
}

/// Gives memory its size, in whole pages, which is its size for ever.
pub(crate) fn set_size(memory: &File, size: u64) -> Result<()> {
    let old = directory::status(memory)?.size;
    if old > 0 && whole_size(size) == old {
        return Ok(());
    }
    let for_ever = || {
        let why = "memory of macOS keeps the size it was made with";
        Error::new(ErrorKind::Unsupported, why)
    };
    if old > 0 {
        return Err(for_ever());
    }
    let no_space = || Error::new(ErrorKind::OutOfSpace, format!("no space for {size} bytes"));
    if size > LARGEST {
        return Err(no_space());
    }
    memory.set_len(size).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOMEM) => no_space(),
        // Another was faster.
        Some(libc::EINVAL) => for_ever(),
        _ => Error::from_os(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short() {
        assert_eq!(misses(&"x".repeat(30)), None);
        assert!(misses(&"x".repeat(31)).is_some());
        assert_eq!(slashed("MySharedMemory").unwrap().as_c_str(), c"/MySharedMemory");
    }

    #[test]
    fn memory_has_whole_pages_and_one_maker() {
        let name = format!("shmkit-unit-{}", std::process::id());
        let memory = create(&name, 100, 0o600).unwrap();
        assert!(is_memory(&memory).unwrap());
        assert_eq!(create(&name, 100, 0o600).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let size = crate::sys::file::status(&open(&name, Opening::ReadOnly).unwrap()).unwrap().size;
        assert_eq!(size, whole_size(100));
        remove(&name).unwrap();
        assert_eq!(open(&name, Opening::ReadOnly).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(!is_memory(&tempfile::tempfile().unwrap()).unwrap());
    }
}
