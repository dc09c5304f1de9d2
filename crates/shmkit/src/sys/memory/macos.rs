//! Memory of `shm_open`, which is not a file and in no directory.
//!
//! Its size is set once and is a whole number of pages. It can be mapped, but not read or written.
//! The names cannot be listed. They stay until they are removed or the machine restarts.

#![allow(unsafe_code, reason = "rustix is built without shm_open: by libc")]

use std::borrow::Cow;
use std::ffi::{CString, c_int};
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;

use rustix::fs::{Mode, RawMode};

use crate::error::{Error, ErrorKind, Result};
use crate::sys::opening::Opening;
use crate::sys::pages::page_size;
use crate::sys::random::random;
use crate::sys::status;
use crate::sys::status::Identity;

/// Bytes of a name without its `/` (`PSHMNAMLEN` is 31).
const MAX_NAME: usize = 30;

/// More than a process can map. Before it refuses a size, the kernel makes a list of all parts.
const MAX_SIZE: u64 = 1 << 47;

/// Returns the name under which every session of the machine finds the memory.
pub(crate) fn global_name(name: &str) -> Cow<'_, str> {
    name.into()
}

/// Returns the name without one leading `/`, or what is wrong with it.
pub(crate) fn plain_name(name: &str) -> core::result::Result<&str, Cow<'static, str>> {
    let plain = super::file_name::plain_name(name)?;
    match plain.len() {
        ..=MAX_NAME => Ok(plain),
        _ => Err("it is longer than 30 bytes, the limit of macOS".into()),
    }
}

/// Returns the size of memory that is created with size `size`: whole pages.
pub(crate) fn rounded_size(size: u64) -> u64 {
    size.checked_next_multiple_of(page_size() as u64).unwrap_or(size)
}

/// Returns the name as `shm_open` expects it.
fn slashed(name: &str) -> Result<CString> {
    CString::new(format!("/{name}"))
        .map_err(|_| Error::new(ErrorKind::InvalidName, "it has a zero byte"))
}

/// Creates memory, all zeros, with these permission bits. An existing name gives `AlreadyExists`.
///
/// Other processes can open it before it has its size. The system commits a page at its first use,
/// so all memory is sparse.
pub(crate) fn create(name: &str, size: u64, mode: u32, _is_sparse: bool) -> Result<File> {
    let new = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
    let memory = shm_open(name, new, mode)?;
    // The kernel applies no umask (as of macOS 15), and refuses this call. Should that change, the
    // call sets the right mode.
    let _ = rustix::fs::fchmod(&memory, Mode::from_raw_mode(mode as RawMode));
    // CRASH: a process that dies before the size is set leaves memory of 0 bytes. Regions of it are
    // refused as out of range.
    let sized = if size > 0 { set_size(&memory, size) } else { Ok(()) };
    if sized.is_err() {
        let _ = remove(name);
    }
    sized.map(|()| memory)
}

/// Memory that is removed with its last user does not exist: the system has no locks of memory, by
/// which users would be known.
pub(crate) fn while_used_mode(_mode: u32) -> Result<u32> {
    let why = "the system does not say whether memory has a user";
    Err(Error::new(ErrorKind::Unsupported, why))
}

/// Returns whether the memory is removed with its last user.
pub(crate) fn is_while_used(_mode: u32) -> bool {
    false
}

/// Creates memory without a name.
pub(crate) fn new_unnamed(size: u64) -> Result<File> {
    let name = format!("shmkit-{:016x}", u64::from_le_bytes(random()?));
    let new = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
    let memory = shm_open(&name, new, 0o600)?;
    // CRASH: a process that dies here leaves the name of empty memory until the machine restarts.
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
    // `shm_open` sets close-on-exec, as POSIX demands.
    // SAFETY: the descriptor is open, and this function is its only owner.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

/// Removes the name.
pub(crate) fn remove(name: &str) -> Result<()> {
    let name = slashed(name)?;
    // SAFETY: the name ends in zero and lives during the call.
    if unsafe { libc::shm_unlink(name.as_ptr()) } == -1 {
        return Err(Error::from_os(io::Error::last_os_error()));
    }
    Ok(())
}

/// Fails: for memory the system reports no identity.
pub(crate) fn is_removed(_name: &str, _identity: Identity) -> Result<bool> {
    let why = "macOS does not tell whether two handles have the same memory";
    Err(Error::new(ErrorKind::Unsupported, why))
}

/// Returns whether a descriptor refers to memory, the only thing without a file type.
pub(crate) fn is_memory(file: &File) -> Result<bool> {
    let stat = rustix::fs::fstat(file).map_err(Error::from_os)?;
    Ok(stat.st_mode & libc::S_IFMT == 0)
}

/// Sets the size of memory, in whole pages. Only the first call can set it.
pub(crate) fn set_size(memory: &File, size: u64) -> Result<()> {
    let old = status::status(memory)?.size;
    if old > 0 && rounded_size(size) == old {
        return Ok(());
    }
    let fixed = || {
        let why = "macOS cannot resize memory: create new memory of the size";
        Error::new(ErrorKind::Unsupported, why)
    };
    if old > 0 {
        return Err(fixed());
    }
    let no_space = || Error::new(ErrorKind::OutOfSpace, format!("no space for {size} bytes"));
    if size > MAX_SIZE {
        return Err(no_space());
    }
    memory.set_len(size).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOMEM) => no_space(),
        // Another process has set the size meanwhile.
        Some(libc::EINVAL) => fixed(),
        _ => Error::from_os(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short() {
        assert!(plain_name(&"x".repeat(30)).is_ok());
        assert!(plain_name(&"x".repeat(31)).is_err());
        assert_eq!(slashed("MySharedMemory").unwrap().as_c_str(), c"/MySharedMemory");
    }

    #[test]
    fn memory_has_whole_pages_and_one_creator() {
        let name = format!("shmkit-unit-{}", std::process::id());
        let memory = create(&name, 100, 0o600, false).unwrap();
        assert!(is_memory(&memory).unwrap());
        assert_eq!(create(&name, 100, 0o600, false).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let size = crate::sys::file::status(&open(&name, Opening::ReadOnly).unwrap()).unwrap().size;
        assert_eq!(size, rounded_size(100));
        remove(&name).unwrap();
        assert_eq!(open(&name, Opening::ReadOnly).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(!is_memory(&tempfile::tempfile().unwrap()).unwrap());
    }
}
