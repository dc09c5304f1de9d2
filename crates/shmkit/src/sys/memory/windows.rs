//! Named sections of the page file, as `CreateFileMappingW` makes them without a file.
//!
//! The name is that which any Win32 program gives: with `Local\` or `Global\` before it, or
//! without, which is local to the session. The memory and its name go with the last handle and
//! view.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::windows::io::OwnedHandle;
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_ALREADY_EXISTS, ERROR_COMMITMENT_LIMIT, ERROR_DISK_FULL, ERROR_INVALID_HANDLE,
    ERROR_INVALID_PARAMETER, ERROR_NOT_ENOUGH_MEMORY, GetLastError, INVALID_HANDLE_VALUE,
    SetLastError,
};
use windows_sys::Win32::Storage::FileSystem::READ_CONTROL;
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, OpenFileMappingW, PAGE_READWRITE,
};

use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory::Opening;
use crate::sys::mapping::page_size;
use crate::sys::win32::security::{Attributes, Of};
use crate::sys::win32::{halves, owned, wide};

/// Where names can be: all that a `\` may stand behind.
const NAMESPACES: [&str; 2] = [r"Local\", r"Global\"];

/// What is wrong with a name here, beyond the rules of all systems.
pub(crate) fn misses(name: &str) -> Option<&'static str> {
    let plain = NAMESPACES.iter().find_map(|it| name.strip_prefix(it)).unwrap_or(name);
    match plain {
        "" => Some("it is empty"),
        _ if plain.contains('\\') => {
            Some(r#"it has a "\" that ends neither "Local\" nor "Global\""#)
        }
        _ => None,
    }
}

/// The name by which all sessions of the machine know it.
pub(crate) fn for_all_sessions(name: &str) -> Cow<'_, str> {
    let [_, global] = NAMESPACES;
    if name.starts_with(global) { name.into() } else { format!("{global}{name}").into() }
}

/// The size that memory has which is made with this one: whole pages.
pub(crate) fn whole_size(size: u64) -> u64 {
    size.checked_next_multiple_of(page_size() as u64).unwrap_or(size)
}

/// Makes memory, all 0 and committed, with these permission bits. An existing name stays:
/// `AlreadyExists`.
pub(crate) fn create(name: &str, size: u64, mode: u32) -> Result<File> {
    new_section(Some(name), size, mode)
}

/// Makes a section, with a name or without.
pub(crate) fn new_section(name: Option<&str>, size: u64, mode: u32) -> Result<File> {
    if size == 0 {
        let why = "Windows has no memory of 0 bytes, since it cannot grow";
        return Err(Error::new(ErrorKind::InvalidArgument, why));
    }
    if i64::try_from(size).is_err() {
        return Err(Error::new(ErrorKind::OutOfSpace, format!("no space for {size} bytes")));
    }
    let attributes = Attributes::of_mode(mode, Of::Section).map_err(Error::from_os)?;
    let name = name.map(wide);
    let name = name.as_ref().map_or(ptr::null(), |name| name.as_ptr());
    let (low, high) = halves(size);
    // SAFETY: takes a number.
    unsafe { SetLastError(0) };
    // SAFETY: no file; attributes and name, if any, live during the call.
    let section = unsafe {
        CreateFileMappingW(
            INVALID_HANDLE_VALUE,
            attributes.as_ptr(),
            PAGE_READWRITE,
            high,
            low,
            name,
        )
    };
    // SAFETY: takes nothing.
    let told = unsafe { GetLastError() };
    // SAFETY: made or opened for us.
    let section: OwnedHandle = unsafe { owned(section) }.map_err(|error| not_made(error, size))?;
    if told == ERROR_ALREADY_EXISTS {
        return Err(Error::new(ErrorKind::AlreadyExists, "the name is taken"));
    }
    Ok(section.into())
}

#[cold]
fn not_made(error: io::Error, size: u64) -> Error {
    match error.raw_os_error().unwrap_or(0) as u32 {
        // A number that is no size of any memory is told as such.
        ERROR_COMMITMENT_LIMIT
        | ERROR_NOT_ENOUGH_MEMORY
        | ERROR_DISK_FULL
        | ERROR_INVALID_PARAMETER => {
            let why = format!("no space for {size} bytes");
            Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why)
        }
        ERROR_INVALID_HANDLE => {
            let why = "something else than memory has the name: an event, a mutex, a semaphore";
            Error::from_os(error).of_kind(ErrorKind::WrongKind).because(why)
        }
        _ => Error::from_os(error),
    }
}

/// Opens memory.
pub(crate) fn open(name: &str, opening: Opening) -> Result<File> {
    let access = match opening {
        Opening::ReadOnly => FILE_MAP_READ,
        Opening::ReadWrite => FILE_MAP_READ | FILE_MAP_WRITE,
    };
    let name = wide(name);
    // SAFETY: the name lives during the call.
    let section = unsafe { OpenFileMappingW(access | READ_CONTROL, 0, name.as_ptr()) };
    // SAFETY: opened for us.
    let section = unsafe { owned(section) }.map_err(|error| not_made(error, 0))?;
    Ok(section.into())
}

/// A name goes with the last who has the memory, and not before.
pub(crate) fn remove(name: &str) -> Result<()> {
    drop(open(name, Opening::ReadOnly)?);
    let why = "Windows keeps the name for as long as anybody has the memory";
    Err(Error::new(ErrorKind::Unsupported, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_namespaces_have_a_backslash() {
        for name in ["ShareMemory", r"Local\ShareMemory", r"Global\ShareMemory"] {
            assert_eq!(misses(name), None);
        }
        for name in [r"Local\", r"a\b", r"Session\1\x", r"\x", r"Global\a\b"] {
            assert!(misses(name).is_some(), "{name}");
        }
    }

    #[test]
    fn memory_has_whole_pages_and_one_maker() {
        let name = format!("shmkit-unit-{}", std::process::id());
        let memory = create(&name, 100, 0o600).unwrap();
        assert_eq!(create(&name, 100, 0o600).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let size = crate::sys::file::status(&open(&name, Opening::ReadOnly).unwrap()).unwrap().size;
        assert_eq!(size, whole_size(100));
        assert_eq!(remove(&name).unwrap_err().kind(), ErrorKind::Unsupported);
        drop(memory);
        assert_eq!(open(&name, Opening::ReadOnly).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
