//! What all that is asked of Win32 has in common: texts, handles, answers.

#![allow(unsafe_code, reason = "handles that the system gave are owned from then on")]

pub(super) mod security;

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::core::BOOL;

/// A text as the wide functions want it.
pub(super) fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

/// What a function that answers with true or false did.
pub(super) fn done(answer: BOOL) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A handle that a function made.
///
/// # Safety
/// The function made it for this caller alone, or answered with none.
pub(super) unsafe fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: open, and nobody else's, by the caller's promise.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Both halves of a number that Win32 takes in two: the low one first.
pub(super) fn halves(number: u64) -> (u32, u32) {
    (number as u32, (number >> 32) as u32)
}
