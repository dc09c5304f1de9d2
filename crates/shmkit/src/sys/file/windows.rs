//! What a handle leads to: a file, or a section of the page file.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::fs::{File, OpenOptions};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::path::Path;
use std::ptr;

use windows_sys::Wdk::Foundation::{
    NtQueryObject, OBJECT_INFORMATION_CLASS, ObjectBasicInformation, ObjectTypeInformation,
};
use windows_sys::Win32::Foundation::{
    ERROR_USER_MAPPED_FILE, GENERIC_READ, GENERIC_WRITE, NTSTATUS,
};
use windows_sys::Win32::Storage::FileSystem::FILE_WRITE_DATA;
use windows_sys::Win32::System::Memory::{
    FILE_MAP_READ, MEM_COMMIT, MEMORY_BASIC_INFORMATION, MapViewOfFile, SECTION_MAP_WRITE,
    UnmapViewOfFile, VirtualQuery,
};
use windows_sys::Win32::System::WindowsProgramming::{
    PUBLIC_OBJECT_BASIC_INFORMATION, PUBLIC_OBJECT_TYPE_INFORMATION,
};

use super::SealKind;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory::{self, FileType, Identity, Status};
use crate::sys::memory;
use crate::sys::win32::security::{self, Of};

/// Whether the handle leads to a section, not to a file.
pub(crate) fn is_section(file: &File) -> bool {
    /// What the system calls sections.
    const SECTION: &str = "Section";
    /// `PUBLIC_OBJECT_TYPE_INFORMATION` with room for the name that it points to.
    #[repr(C)]
    struct TypeInformation {
        about: PUBLIC_OBJECT_TYPE_INFORMATION,
        name: [u16; 64],
    }
    let mut answer = TypeInformation { about: Default::default(), name: [0; 64] };
    let status = query_object(file, ObjectTypeInformation, &mut answer);
    let units = SECTION.encode_utf16().count();
    if status < 0 || usize::from(answer.about.TypeName.Length) != 2 * units {
        return false;
    }
    // SAFETY: a text of so many bytes, as the system says, within the answer.
    let name = unsafe { std::slice::from_raw_parts(answer.about.TypeName.Buffer, units) };
    name.iter().copied().eq(SECTION.encode_utf16())
}

/// Asks for what belongs to the class; negative where that failed.
fn query_object<T>(file: &File, class: OBJECT_INFORMATION_CLASS, into: &mut T) -> NTSTATUS {
    // SAFETY: the handle is open, and the answer has as many bytes as are told.
    unsafe {
        NtQueryObject(
            file.as_raw_handle(),
            class,
            (&raw mut *into).cast(),
            size_of::<T>() as u32,
            ptr::null_mut(),
        )
    }
}

/// What the system says of a file or a section.
pub(crate) fn status(file: &File) -> Result<Status> {
    if !is_section(file) {
        return directory::status(file);
    }
    Ok(Status {
        identity: Identity { device: 0, file: 0 },
        links: 1,
        size: section_size(file)?,
        committed: section_size(file)?,
        owner: security::owner(file.as_handle(), Of::Section).map_err(Error::from_os)?,
        mode: None,
        file_type: FileType::Regular,
    })
}

/// The size of a section, in whole pages: of a view of all of it.
fn section_size(section: &File) -> Result<u64> {
    // SAFETY: the section is open; a new view, wherever there is room.
    let view = unsafe { MapViewOfFile(section.as_raw_handle(), FILE_MAP_READ, 0, 0, 0) };
    if view.Value.is_null() {
        let error = Error::from_os(std::io::Error::last_os_error());
        return Err(error.because("its size is not to be had"));
    }
    let mut about = MEMORY_BASIC_INFORMATION::default();
    // SAFETY: the answer has room.
    let told =
        unsafe { VirtualQuery(view.Value, &raw mut about, size_of::<MEMORY_BASIC_INFORMATION>()) };
    // SAFETY: the view just made, of which nothing is kept.
    let _ = unsafe { UnmapViewOfFile(view) };
    if told == 0 {
        return Err(Error::from_os(std::io::Error::last_os_error()));
    }
    if about.State != MEM_COMMIT {
        let why = "its pages are reserved, and not committed: touching one would end the process";
        return Err(Error::new(ErrorKind::WrongKind, why));
    }
    Ok(about.RegionSize as u64)
}

/// A section without a name, gone with its last handle and view.
pub(crate) fn anonymous(_label: &str, size: u64) -> Result<File> {
    memory::new_section(None, size, 0o600)
}

/// Rules `kind` out from now on, for all.
pub(crate) fn seal(file: &File, kind: SealKind) -> Result<()> {
    if is_sealed(file, kind)? {
        return Ok(());
    }
    let why = "Windows has no seals: hand out a handle that may only read";
    Err(Error::new(ErrorKind::Unsupported, why))
}

/// Whether `kind` is ruled out: no section has another size.
pub(crate) fn is_sealed(file: &File, kind: SealKind) -> Result<bool> {
    Ok(kind == SealKind::Resizing && is_section(file))
}

/// Whether the handle allows writing.
pub(crate) fn is_writable(file: &File) -> Result<bool> {
    let mut about = PUBLIC_OBJECT_BASIC_INFORMATION::default();
    let status = query_object(file, ObjectBasicInformation, &mut about);
    if status < 0 {
        let why = format!("the system does not say what the handle allows ({status:#x})");
        return Err(Error::new(ErrorKind::Os, why));
    }
    let writing = if is_section(file) { SECTION_MAP_WRITE } else { FILE_WRITE_DATA };
    Ok(about.GrantedAccess & writing != 0)
}

/// Opens what `path` leads to, through symbolic links.
pub(crate) fn open_path(path: &Path, writable: bool) -> Result<File> {
    let access = if writable { GENERIC_READ | GENERIC_WRITE } else { GENERIC_READ };
    OpenOptions::new().access_mode(access).open(path).map_err(|error| {
        if path.is_dir() {
            return Error::new(ErrorKind::WrongKind, "it is a directory");
        }
        Error::from_os(error)
    })
}

/// Makes the file `to` bytes long, with space for each of them.
pub(crate) fn commit(file: &File, _from: u64, to: u64) -> Result<()> {
    resize(file, to)
}

/// Makes the file `to` bytes long.
pub(crate) fn cut(file: &File, to: u64) -> Result<()> {
    resize(file, to)
}

fn resize(file: &File, to: u64) -> Result<()> {
    if is_section(file) {
        let why = "memory of Windows keeps the size it was made with";
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
            _ if mapped => error.of_kind(ErrorKind::Busy).because("a part to be cut is mapped"),
            _ => error,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_told_from_a_file() {
        let section = anonymous("", 5_000).unwrap();
        assert!(is_section(&section) && is_writable(&section).unwrap());
        assert_eq!(status(&section).unwrap().size, 8_192);
        let file = tempfile::tempfile().unwrap();
        assert!(!is_section(&file));
        assert_eq!(status(&file).unwrap().size, 0);
    }
}
