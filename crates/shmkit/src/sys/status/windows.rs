//! `GetFileInformationByHandleEx`, and the owner from the access list.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle};

use windows_sys::Wdk::Storage::FileSystem::{
    FILE_INTERNAL_INFORMATION, FileInternalInformation, NtQueryInformationFile,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_REPARSE_POINT, FILE_BASIC_INFO, FILE_INFO_BY_HANDLE_CLASS, FILE_STANDARD_INFO,
    FILE_TYPE_DISK, FILE_TYPE_PIPE, FileBasicInfo, FileStandardInfo, GetFileInformationByHandleEx,
    GetFileType,
};
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;

use super::{FileType, Identity, Status};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::win32::check;
use crate::sys::win32::security::{self, Securable};

/// Returns what the file system reports about an open file.
pub(crate) fn status(file: &File) -> Result<Status> {
    // SAFETY: the handle is open.
    let raw_type = unsafe { GetFileType(file.as_raw_handle()) };
    if raw_type != FILE_TYPE_DISK {
        let file_type = if raw_type == FILE_TYPE_PIPE { FileType::Fifo } else { FileType::Other };
        return Ok(Status {
            identity: Identity { device: 0, file: 0 },
            links: 1,
            size: 0,
            committed: 0,
            owner: 0,
            mode: None,
            file_type,
        });
    }
    let (about, mut basic) = (standard_info(file)?, FILE_BASIC_INFO::default());
    query(file, FileBasicInfo, &mut basic).map_err(Error::from_os)?;
    let file_type = if basic.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        FileType::SymbolicLink
    } else if about.Directory {
        FileType::Directory
    } else {
        FileType::Regular
    };
    let bytes = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(Status {
        identity: identity(file)?,
        links: about.NumberOfLinks.into(),
        size: bytes(about.EndOfFile),
        committed: bytes(about.AllocationSize),
        owner: security::owner(file.as_handle(), Securable::File).map_err(Error::from_os)?,
        mode: None,
        file_type,
    })
}

/// Returns which file a handle refers to.
///
/// `GetFileInformationByHandle` would also ask for the volume: under Wine, another process.
pub(crate) fn identity(file: &File) -> Result<Identity> {
    let mut about = FILE_INTERNAL_INFORMATION::default();
    let mut outcome = IO_STATUS_BLOCK::default();
    // SAFETY: the handle is open. The answer, whose type belongs to the class, has the size that
    // is passed.
    let status = unsafe {
        NtQueryInformationFile(
            file.as_raw_handle(),
            &raw mut outcome,
            (&raw mut about).cast(),
            size_of_val(&about) as u32,
            FileInternalInformation,
        )
    };
    if status < 0 {
        let why = format!("the system does not report which file it is ({status:#x})");
        return Err(Error::new(ErrorKind::Os, why));
    }
    // No device: only files of one directory are compared, so all are on one volume.
    Ok(Identity { device: 0, file: about.IndexNumber as u64 })
}

/// Returns whether an open file has a name, and is not to be deleted.
pub(crate) fn has_name(file: &File) -> Result<bool> {
    let about = standard_info(file)?;
    Ok(!about.DeletePending && about.NumberOfLinks > 0)
}

fn standard_info(file: &File) -> Result<FILE_STANDARD_INFO> {
    let mut about = FILE_STANDARD_INFO::default();
    query(file, FileStandardInfo, &mut about).map_err(Error::from_os)?;
    Ok(about)
}

fn query<T>(file: &File, class: FILE_INFO_BY_HANDLE_CLASS, into: &mut T) -> io::Result<()> {
    // SAFETY: the handle is open. The answer, whose type belongs to the class, has the size that
    // is passed.
    check(unsafe {
        GetFileInformationByHandleEx(
            file.as_raw_handle(),
            class,
            (&raw mut *into).cast(),
            size_of::<T>() as u32,
        )
    })
}
