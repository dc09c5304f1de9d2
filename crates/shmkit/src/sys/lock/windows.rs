//! `LockFileEx`. A lock belongs to the handle that took it, and ends with it.
//!
//! Nobody can be asked who holds what. So a range is tried: in shared mode, so that those who try
//! do not find each other. It follows that what is tried for must be locked exclusively, and that
//! whoever takes such a lock waits a moment for those who are just trying.

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
use crate::sys::win32::{done, halves};

/// How a byte is locked that says no more than that somebody is there. A handle that may only read
/// can do it, too.
pub(crate) const PRESENCE: Mode = Mode::Exclusive;

/// How long a lock that nobody keeps is tried for: who is asking in just that moment can lose its
/// processor, or be stopped.
const PATIENCE: Duration = Duration::from_millis(500);

fn at(offset: u64) -> OVERLAPPED {
    let mut place = OVERLAPPED::default();
    let (low, high) = halves(offset);
    place.Anonymous.Anonymous.Offset = low;
    place.Anonymous.Anonymous.OffsetHigh = high;
    place
}

/// Takes the lock, with these flags beside the mode's.
fn request(file: &File, range: Range, mode: Mode, flags: LOCK_FILE_FLAGS) -> io::Result<()> {
    let exclusive = match mode {
        Mode::Shared => 0,
        Mode::Exclusive => LOCKFILE_EXCLUSIVE_LOCK,
    };
    let (low, high) = halves(range.length);
    let mut place = at(range.start);
    let flags = exclusive | flags;
    // SAFETY: the handle is open and synchronous, so that `place` is used during the call alone.
    done(unsafe { LockFileEx(file.as_raw_handle(), flags, 0, low, high, &raw mut place) })
}

fn try_once(file: &File, range: Range, mode: Mode) -> Result<bool> {
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

/// Takes the lock if no other handle is in the way; says whether it did.
pub(crate) fn try_lock(file: &File, range: Range, mode: Mode) -> Result<bool> {
    try_once(file, range, mode)
}

/// Takes the lock, as [`try_lock`] does, and sleeps for as long as another is in the way.
pub(crate) fn lock(file: &File, range: Range, mode: Mode) -> Result<()> {
    request(file, range, mode, 0).map_err(refused)
}

/// Takes a lock that nobody is known to keep: waits for those who are just asking.
pub(crate) fn take(file: &File, range: Range, mode: Mode) -> Result<bool> {
    const YIELDS: u32 = 10;
    let until = Instant::now() + PATIENCE;
    let mut tries = 0;
    while !try_once(file, range, mode)? {
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

/// Gives up what this handle holds of exactly this range.
pub(crate) fn unlock(file: &File, range: Range) {
    let (low, high) = halves(range.length);
    let mut place = at(range.start);
    // What was not locked stays so.
    // SAFETY: as in `request`.
    let _ = unsafe { UnlockFileEx(file.as_raw_handle(), 0, low, high, &raw mut place) };
}

/// Whether another handle holds an exclusive lock in the range.
pub(crate) fn is_locked(file: &File, range: Range) -> Result<bool> {
    let granted = try_once(file, range, Mode::Shared)?;
    if granted {
        unlock(file, range);
    }
    Ok(!granted)
}

/// The first byte of the range that another handle holds exclusively, or `None` where there is
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
    // Given up while it was looked for: then it is the last byte, or another's.
    Ok(is_locked(file, left)?.then_some(left))
}
