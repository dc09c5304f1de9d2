//! Named sections of the page file, as `CreateFileMappingW` makes them without a file.
//!
//! Names are those of Win32: with the prefix `Local\` or `Global\`, or without one, which means
//! local to the session. The memory and its name go with the last handle and view.

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
use crate::sys::opening::Opening;
use crate::sys::pages::page_size;
use crate::sys::status::Identity;
use crate::sys::win32::security::{Attributes, Securable};
use crate::sys::win32::{low_and_high, owned, wide};

/// The prefixes of names. No other `\` is allowed.
const NAMESPACES: [&str; 2] = [r"Local\", r"Global\"];

/// The longest name, with its prefix, in UTF-16 units: `MAX_PATH`.
const MAX_UNITS: usize = 260;

/// Returns the name, or what is wrong with it. A `/` is a letter like others.
pub(crate) fn plain_name(name: &str) -> core::result::Result<&str, Cow<'static, str>> {
    let last = NAMESPACES.iter().find_map(|it| name.strip_prefix(it)).unwrap_or(name);
    let units = name.encode_utf16().count();
    Err(match last {
        "" => "it is empty".into(),
        _ if last.contains('\0') => "it has a zero byte".into(),
        _ if last.contains('\\') => {
            r#"it has a "\" that is not the end of the prefix "Local\" or "Global\""#.into()
        }
        _ if units > MAX_UNITS => {
            format!("it has {units} units of UTF-16, more than the limit of {MAX_UNITS}").into()
        }
        _ => return Ok(name),
    })
}

/// Returns the name under which every session of the machine finds the memory.
pub(crate) fn global_name(name: &str) -> Cow<'_, str> {
    let [_, global] = NAMESPACES;
    if name.starts_with(global) { name.into() } else { format!("{global}{name}").into() }
}

/// Returns false: the name lives as long as the memory.
pub(crate) fn is_removed(_name: &str, _identity: Identity) -> Result<bool> {
    Ok(false)
}

/// Returns the size of memory that is created with size `size`: whole pages.
pub(crate) fn rounded_size(size: u64) -> u64 {
    size.checked_next_multiple_of(page_size() as u64).unwrap_or(size)
}

/// Returns the permission bits of memory that is removed with its last user, as all memory is.
pub(crate) fn while_used_mode(mode: u32) -> Result<u32> {
    Ok(mode)
}

/// Returns whether this library must remove the memory with its last user: the system does.
pub(crate) fn is_while_used(_mode: u32) -> bool {
    false
}

/// Creates memory, all zeros, with these permission bits. An existing name gives `AlreadyExists`.
/// All of it counts as committed, and a page takes memory from its first use on: so all
/// memory is as sparse as it can be.
pub(crate) fn create(name: &str, size: u64, mode: u32, _is_sparse: bool) -> Result<File> {
    new_section(Some(name), size, mode)
}

/// Creates a section, with a name or without.
pub(crate) fn new_section(name: Option<&str>, size: u64, mode: u32) -> Result<File> {
    if size == 0 {
        let why = "Windows has no memory of 0 bytes: give a size above 0";
        return Err(Error::new(ErrorKind::InvalidArgument, why));
    }
    if i64::try_from(size).is_err() {
        return Err(Error::new(ErrorKind::OutOfSpace, format!("no space for {size} bytes")));
    }
    let attributes = Attributes::of_mode(mode, Securable::Section).map_err(Error::from_os)?;
    let name = name.map(wide);
    let name = name.as_ref().map_or(ptr::null(), |name| name.as_ptr());
    let (low, high) = low_and_high(size);
    // SAFETY: the function takes a number.
    unsafe { SetLastError(0) };
    // SAFETY: there is no file; the attributes and the name, if any, live during the call.
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
    // SAFETY: the function has no arguments.
    let last_error = unsafe { GetLastError() };
    // SAFETY: the call above returned the handle to this function alone.
    let section: OwnedHandle =
        unsafe { owned(section) }.map_err(|error| section_error(error, size))?;
    if last_error == ERROR_ALREADY_EXISTS {
        return Err(Error::new(ErrorKind::AlreadyExists, "the name is taken"));
    }
    Ok(section.into())
}

#[cold]
fn section_error(error: io::Error, size: u64) -> Error {
    match error.raw_os_error().unwrap_or(0) as u32 {
        // A size that no memory can have gives `ERROR_INVALID_PARAMETER`.
        ERROR_COMMITMENT_LIMIT
        | ERROR_NOT_ENOUGH_MEMORY
        | ERROR_DISK_FULL
        | ERROR_INVALID_PARAMETER => {
            let why = format!("no space for {size} bytes");
            Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why)
        }
        ERROR_INVALID_HANDLE => {
            let why = "the name belongs to an event, a mutex or a semaphore, not to memory";
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
    // SAFETY: the call above opened the handle for this function alone.
    let section = unsafe { owned(section) }.map_err(|error| section_error(error, 0))?;
    Ok(section.into())
}

/// Reports that names cannot be removed: a name goes with the last handle and view.
pub(crate) fn remove(name: &str) -> Result<()> {
    drop(open(name, Opening::ReadOnly)?);
    let why = "Windows keeps the name while any process has the memory open";
    Err(Error::new(ErrorKind::Unsupported, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_as_it_is_and_only_the_two_namespaces_have_a_backslash() {
        let longest = "x".repeat(MAX_UNITS);
        for name in [
            "ShareMemory",
            r"Local\ShareMemory",
            r"Global\ShareMemory",
            "/x",
            "a/b",
            "..",
            "pose.shmkit",
            &longest,
        ] {
            assert_eq!(plain_name(name), Ok(name));
        }
        let long = format!("{longest}x");
        for name in [r"Local\", r"a\b", r"Session\1\x", r"\x", r"Global\a\b", "", "a\0b", &long] {
            assert!(plain_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn memory_has_whole_pages_and_one_creator() {
        let name = format!("shmkit-unit-{}", std::process::id());
        let memory = create(&name, 100, 0o600, false).unwrap();
        assert_eq!(create(&name, 100, 0o600, false).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let size = crate::sys::file::status(&open(&name, Opening::ReadOnly).unwrap()).unwrap().size;
        assert_eq!(size, rounded_size(100));
        assert_eq!(remove(&name).unwrap_err().kind(), ErrorKind::Unsupported);
        drop(memory);
        assert_eq!(open(&name, Opening::ReadOnly).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
