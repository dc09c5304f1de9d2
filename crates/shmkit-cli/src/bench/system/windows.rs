//! Windows: handles, processors.

#![allow(unsafe_code, reason = "handles by number, and calls of Win32")]

use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetProcessAffinityMask, SetProcessAffinityMask,
};

/// Lets processes that are started from now on inherit a handle. Returns what they find it by.
pub(in super::super) fn inheritable(handle: &impl AsHandle) -> io::Result<String> {
    let handle = handle.as_handle().as_raw_handle();
    // SAFETY: the handle is open.
    match unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok((handle as usize).to_string()),
    }
}

/// Returns a handle that this process has inherited.
pub(in super::super) fn inherited(end: &str) -> anyhow::Result<File> {
    let number: usize = end.parse()?;
    // SAFETY: the command has opened the handle for this process, which takes each one once.
    let handle = unsafe { OwnedHandle::from_raw_handle(number as _) };
    Ok(handle.into())
}

/// Returns two processors for the two processes, if the system lets this process choose.
pub(in super::super) fn processors() -> Option<[usize; 2]> {
    let (mut own, mut all) = (0, 0);
    // SAFETY: the call has no requirements. The handle is not closed.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the handle is valid, and so are the pointers for the answers.
    if unsafe { GetProcessAffinityMask(process, &raw mut own, &raw mut all) } == 0 {
        return None;
    }
    let mut allowed = (0..usize::BITS as usize).filter(|bit| own >> bit & 1 == 1);
    Some([allowed.next()?, allowed.next()?])
}

/// Lets this process run on one processor only.
pub(in super::super) fn pin(processor: usize) -> io::Result<()> {
    // SAFETY: the call has no requirements. The handle is not closed.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the handle is valid.
    match unsafe { SetProcessAffinityMask(process, 1 << processor) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Returns the name of the system.
pub(in super::super) fn kernel() -> String {
    "Windows".into()
}

/// Returns what the processor is called, if the system tells it.
pub(in super::super) fn processor_name() -> Option<String> {
    std::env::var("PROCESSOR_IDENTIFIER").ok()
}

/// Does nothing: Windows has no such queues.
pub(in super::super) fn remove_queue(_number: i32) {}

/// Does nothing: Windows has no such signals.
pub(in super::super) fn block_signals() -> io::Result<()> {
    Ok(())
}
