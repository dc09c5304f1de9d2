//! Files, and sections of the page file.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::fs::{File, OpenOptions};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::path::Path;

use windows_sys::Win32::Foundation::{ERROR_USER_MAPPED_FILE, GENERIC_READ, GENERIC_WRITE};
use windows_sys::Win32::Storage::FileSystem::FILE_WRITE_DATA;
use windows_sys::Win32::System::Memory::{
    FILE_MAP_READ, MEM_COMMIT, MEMORY_BASIC_INFORMATION, MapViewOfFile, SECTION_MAP_WRITE,
    UnmapViewOfFile, VirtualQuery,
};

use super::SealKind;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::memory;
use crate::sys::status::{self, FileType, Identity, Status};
use crate::sys::win32::object::{granted_access, is_section};
use crate::sys::win32::open_error;
use crate::sys::win32::security::{self, Securable};

/// Returns what the system reports about a file or a section.
pub(crate) fn status(file: &File) -> Result<Status> {
    if !is_section(file) {
        return status::status(file);
    }
    Ok(Status {
        identity: Identity { device: 0, file: 0 },
        links: 1,
        size: section_size(file)?,
        committed: section_size(file)?,
        owner: security::owner(file.as_handle(), Securable::Section).map_err(Error::from_os)?,
        mode: None,
        file_type: FileType::Regular,
    })
}

/// Returns the size of a section in whole pages, measured by a view of all of it.
fn section_size(section: &File) -> Result<u64> {
    // SAFETY: the section is open, and the system chooses an unused address.
    let view = unsafe { MapViewOfFile(section.as_raw_handle(), FILE_MAP_READ, 0, 0, 0) };
    if view.Value.is_null() {
        let error = Error::from_os(std::io::Error::last_os_error());
        return Err(error.because("the system does not report its size"));
    }
    let mut about = MEMORY_BASIC_INFORMATION::default();
    // SAFETY: `about` has room for the answer.
    let bytes =
        unsafe { VirtualQuery(view.Value, &raw mut about, size_of::<MEMORY_BASIC_INFORMATION>()) };
    // SAFETY: this function made the view and keeps no pointer into it.
    let _ = unsafe { UnmapViewOfFile(view) };
    if bytes == 0 {
        return Err(Error::from_os(std::io::Error::last_os_error()));
    }
    if about.State != MEM_COMMIT {
        let why = "its pages are reserved but not committed: an access would end the process";
        return Err(Error::new(ErrorKind::WrongKind, why));
    }
    Ok(about.RegionSize as u64)
}

/// Creates a section without a name, which disappears with its last handle and view.
pub(crate) fn anonymous(_label: &str, size: u64) -> Result<File> {
    memory::new_section(None, size, 0o600)
}

/// Sets a seal: Windows has none, so this only confirms what holds already.
pub(crate) fn seal(file: &File, kind: SealKind) -> Result<()> {
    if is_sealed(file, kind)? {
        return Ok(());
    }
    let why = "Windows has no seals: give other processes a read-only handle";
    Err(Error::new(ErrorKind::Unsupported, why))
}

/// Returns whether `kind` is impossible: a section keeps its size.
pub(crate) fn is_sealed(file: &File, kind: SealKind) -> Result<bool> {
    Ok(kind == SealKind::Resizing && is_section(file))
}

/// Returns whether the handle allows writing.
pub(crate) fn is_writable(file: &File) -> Result<bool> {
    let writing = if is_section(file) { SECTION_MAP_WRITE } else { FILE_WRITE_DATA };
    Ok(granted_access(file)? & writing != 0)
}

/// Opens what `path` refers to, through symbolic links.
pub(crate) fn open_path(path: &Path, writable: bool) -> Result<File> {
    let access = if writable { GENERIC_READ | GENERIC_WRITE } else { GENERIC_READ };
    OpenOptions::new().access_mode(access).open(path).map_err(|error| {
        if path.is_dir() {
            return Error::new(ErrorKind::WrongKind, "it is a directory");
        }
        open_error(error)
    })
}

/// Extends the file to `to` bytes, and allocates space for them.
pub(crate) fn commit(file: &File, _from: u64, to: u64) -> Result<()> {
    resize(file, to)
}

/// Allocates space for bytes that the file has: memory here has it from the start.
pub(crate) fn fill_holes(_file: &File, _from: u64, _to: u64) -> Result<()> {
    Ok(())
}

/// Shrinks the file to `to` bytes.
pub(crate) fn shrink(file: &File, to: u64) -> Result<()> {
    resize(file, to)
}

fn resize(file: &File, to: u64) -> Result<()> {
    if is_section(file) {
        let why = "Windows cannot resize memory: create new memory of the size";
        return Err(Error::new(ErrorKind::Unsupported, why));
    }
    if i64::try_from(to).is_err() {
        return Err(Error::new(ErrorKind::OutOfSpace, format!("no space for {to} bytes")));
    }
    file.set_len(to).map_err(|error| {
        let mapped = error.raw_os_error() == Some(ERROR_USER_MAPPED_FILE as i32);
        let error = Error::from_os(error);
        match error.kind() {
            ErrorKind::OutOfSpace => error.because(format!("no space for {to} bytes")),
            _ if mapped => {
                let why = "a process has mapped bytes beyond the new size";
                error.of_kind(ErrorKind::Busy).because(why)
            }
            _ => error,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_files_are_distinguished() {
        let section = anonymous("", 5_000).unwrap();
        assert!(is_section(&section) && is_writable(&section).unwrap());
        assert_eq!(status(&section).unwrap().size, 8_192);
        let file = tempfile::tempfile().unwrap();
        assert!(!is_section(&file));
        assert_eq!(status(&file).unwrap().size, 0);
    }
}
