//! What all calls of Win32 share: texts, handles, results.

#![allow(unsafe_code, reason = "takes ownership of handles from the system")]

pub(super) mod object;
pub(super) mod security;

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{FromRawHandle, OwnedHandle};
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_SHARING_VIOLATION, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Threading::INFINITE;
use windows_sys::core::BOOL;

use crate::error::{Error, ErrorKind};

/// Returns a text in UTF-16 with a terminating zero, as the wide functions expect it.
pub(super) fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

/// Returns the system's last error if a function returned false.
pub(super) fn check(result: BOOL) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Returns the error of a call that opens, renames or deletes a file.
pub(super) fn open_error(error: io::Error) -> Error {
    let is_in_use = error.raw_os_error() == Some(ERROR_SHARING_VIOLATION as i32);
    let error = Error::from_os(error);
    if !is_in_use {
        return error;
    }
    let why = "another program has the file open and does not share it: try again when it has \
               closed the file";
    error.of_kind(ErrorKind::Busy).because(why)
}

/// Takes ownership of a handle that a function returned, or returns the system's last error if the
/// function returned none.
///
/// # Safety
/// The function made the handle for this caller alone, or returned none.
pub(super) unsafe fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is open and has no other owner, as the caller promises.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Returns a time limit in milliseconds, rounded up. One beyond the range of the calls is cut.
pub(super) fn timeout_ms(timeout: Duration) -> u32 {
    timeout.as_micros().div_ceil(1_000).min(u128::from(INFINITE - 1)) as u32
}

/// Returns the low and the high half of a number that Win32 takes as two.
pub(super) fn low_and_high(number: u64) -> (u32, u32) {
    (number as u32, (number >> 32) as u32)
}
