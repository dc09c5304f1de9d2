//! An event without a name, which stays set until it is cleared.

#![allow(unsafe_code, reason = "calls of Win32")]

use core::ptr;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle, RawHandle};
use std::sync::Arc;

use windows_sys::Win32::System::Threading::{CreateEventW, ResetEvent, SetEvent};

use crate::error::{Error, Result};
use crate::sys::win32::owned;

/// The flag.
#[derive(Debug)]
pub(crate) struct Pollable(OwnedHandle);

impl Pollable {
    /// Returns a flag that is not set.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: no attributes and no name are allowed.
        let event = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
        // SAFETY: the call above returned the handle to this function alone.
        unsafe { owned(event) }.map(Self).map_err(Error::from_os)
    }

    /// Sets the flag.
    pub(crate) fn set(&self) {
        // SAFETY: the event is open.
        let _ = unsafe { SetEvent(self.0.as_raw_handle()) };
    }

    /// Clears the flag.
    pub(crate) fn clear(&self) {
        // SAFETY: the event is open.
        let _ = unsafe { ResetEvent(self.0.as_raw_handle()) };
    }
}

/// A handle that an event loop polls in place of a [`WaitSet`](crate::WaitSet): see
/// [`WaitSet::poll_handle`](crate::WaitSet::poll_handle).
///
/// On Unix it implements `AsFd`, on Windows `AsHandle`. It stays open until the last copy is
/// dropped; once the set is dropped, it does not change any more.
#[derive(Clone, Debug)]
pub struct PollHandle(Arc<Pollable>);

impl PollHandle {
    pub(crate) fn of(flag: &Arc<Pollable>) -> Self {
        Self(flag.clone())
    }
}

impl AsHandle for PollHandle {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.0.as_handle()
    }
}

impl AsRawHandle for PollHandle {
    fn as_raw_handle(&self) -> RawHandle {
        self.0.0.as_raw_handle()
    }
}
