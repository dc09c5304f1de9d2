//! `LockFileEx`. A lock belongs to the handle that acquired it, and ends with it.
//!
//! The system has no query for locks. A test for a lock acquires the range in shared mode, so that
//! two tests do not meet, and releases it at once. Therefore locks that are tested for are
//! exclusive, and a process that acquires such a lock waits a moment for tests that are in
//! progress.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::fs::File;
use std::io;
use std::os::windows::io::AsRawHandle;
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, ERROR_LOCK_VIOLATION};
use windows_sys::Win32::Storage::FileSystem::{
    LOCK_FILE_FLAGS, LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx, UnlockFileEx,
};
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::{Mode, Range};
use crate::error::{Error, Result};
use crate::sys::win32::{check, low_and_high};

/// The mode of a lock that only shows presence. A read-only handle can use it too.
pub(crate) const PRESENCE: Mode = Mode::Exclusive;

/// How long to try for a lock that has no holder. A process that is testing for it can lose its
/// processor meanwhile, or be stopped.
const PATIENCE: Duration = Duration::from_millis(500);

fn at(offset: u64) -> OVERLAPPED {
    let mut place = OVERLAPPED::default();
    let (low, high) = low_and_high(offset);
    place.Anonymous.Anonymous.Offset = low;
    place.Anonymous.Anonymous.OffsetHigh = high;
    place
}

/// Requests the lock, with these flags besides those of the mode.
fn request(file: &File, range: Range, mode: Mode, flags: LOCK_FILE_FLAGS) -> io::Result<()> {
    let exclusive = match mode {
        Mode::Shared => 0,
        Mode::Exclusive => LOCKFILE_EXCLUSIVE_LOCK,
    };
    let (low, high) = low_and_high(range.length);
    let mut place = at(range.start);
    let flags = exclusive | flags;
    // SAFETY: the handle is open and synchronous, so the system uses `place` only during the call.
    check(unsafe { LockFileEx(file.as_raw_handle(), flags, 0, low, high, &raw mut place) })
}

/// Acquires the lock, unless another handle holds a conflicting one. Returns whether it did.
pub(crate) fn try_lock(file: &File, range: Range, mode: Mode) -> Result<bool> {
    match request(file, range, mode, LOCKFILE_FAIL_IMMEDIATELY) {
        Ok(()) => Ok(true),
        Err(error) if is_refusal(&error) => Ok(false),
        Err(error) => Err(refused(error)),
    }
}

#[cold]
fn refused(error: io::Error) -> Error {
    Error::from_os(error).because("the file cannot be locked")
}

fn is_refusal(error: &io::Error) -> bool {
    let code = error.raw_os_error().unwrap_or(0) as u32;
    matches!(code, ERROR_LOCK_VIOLATION | ERROR_IO_PENDING)
}

/// Acquires the lock as [`try_lock`] does, and sleeps while another handle holds a conflicting one.
pub(crate) fn lock(file: &File, range: Range, mode: Mode) -> Result<()> {
    request(file, range, mode, 0).map_err(refused)
}

/// Acquires a lock that has no holder. Waits for tests of other processes that are in progress.
pub(crate) fn take(file: &File, range: Range, mode: Mode) -> Result<bool> {
    const YIELDS: u32 = 10;
    let until = Instant::now() + PATIENCE;
    let mut tries = 0;
    while !try_lock(file, range, mode)? {
        if Instant::now() >= until {
            return Ok(false);
        }
        tries += 1;
        if tries <= YIELDS {
            thread::yield_now();
        } else {
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(true)
}

/// Releases the lock that this handle holds of exactly this range.
pub(crate) fn unlock(file: &File, range: Range) {
    let (low, high) = low_and_high(range.length);
    let mut place = at(range.start);
    // To release a range that is not locked changes nothing.
    // SAFETY: as in `request`.
    let _ = unsafe { UnlockFileEx(file.as_raw_handle(), 0, low, high, &raw mut place) };
}

/// Returns whether another handle holds an exclusive lock in the range.
pub(crate) fn is_locked(file: &File, range: Range) -> Result<bool> {
    let granted = try_lock(file, range, Mode::Shared)?;
    if granted {
        unlock(file, range);
    }
    Ok(!granted)
}

/// Returns the first byte of the range that another handle holds exclusively, or `None` if there is
/// none.
pub(crate) fn first_locked(file: &File, range: Range) -> Result<Option<Range>> {
    let mut left = range;
    if !is_locked(file, left)? {
        return Ok(None);
    }
    while left.length > 1 {
        let first = Range { start: left.start, length: left.length / 2 };
        left = if is_locked(file, first)? {
            first
        } else {
            Range { start: first.end(), length: left.length - first.length }
        };
    }
    // If the lock was released during the search, this is the last byte or one of another lock.
    Ok(is_locked(file, left)?.then_some(left))
}
