//! The user of this process, the processors and the identity of this run of the machine, on
//! Windows.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::ptr;

use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::Threading::{ALL_PROCESSOR_GROUPS, GetActiveProcessorCount};

use crate::sys::win32::security;

/// Returns the number of the user, which owns what this process creates.
pub(crate) fn user_id() -> u32 {
    security::user_number()
}

/// Returns false: no program gets more rights than the user who starts it.
pub(super) fn has_more_rights() -> bool {
    false
}

/// Returns false: every number stands for one user.
pub(crate) fn is_nobody(_user: u32) -> bool {
    false
}

/// Returns whether the machine has only one processor.
pub(crate) fn has_one_processor() -> bool {
    // SAFETY: the call takes a number and returns one.
    (unsafe { GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) }) == 1
}

/// Returns a number that differs between runs of the machine.
///
/// `KUSER_SHARED_DATA.BootId` counts the runs. It is on a read-only page that has the same address
/// in every process.
pub(crate) fn boot_id() -> [u8; 16] {
    const BOOT_ID: usize = 0x7ffe_0000 + 0x2c4;
    let count = ptr::with_exposed_provenance::<u32>(BOOT_ID);
    // SAFETY: mapped in every process, aligned, and constant while the machine runs.
    let count = unsafe { count.read_volatile() };
    let mut id = [0; 16];
    id[..4].copy_from_slice(&count.to_le_bytes());
    id
}

/// Returns when this run of the machine began, by the present wall clock: nanoseconds since 1970.
pub(crate) fn booted_unix_ns() -> u64 {
    // SAFETY: the function has no arguments.
    let up_ms = unsafe { GetTickCount64() };
    super::unix_time_ns().saturating_sub(up_ms * 1_000_000)
}

/// Returns how long this run of the machine has lasted, in nanoseconds: the same in all processes.
/// It never goes back.
pub(crate) fn since_boot_ns() -> u64 {
    let (mut ticks, mut frequency) = (0, 0);
    // SAFETY: the call writes one number.
    unsafe { QueryPerformanceFrequency(&raw mut frequency) };
    // SAFETY: the call writes one number.
    unsafe { QueryPerformanceCounter(&raw mut ticks) };
    // Neither call fails on any system that is supported.
    (i128::from(ticks) * 1_000_000_000 / i128::from(frequency.max(1))) as u64
}

/// Stops this thread until another process resumes it.
#[cfg(feature = "crash-points")]
pub(crate) fn stop() {
    use windows_sys::Win32::System::Threading::{GetCurrentThread, SuspendThread};
    // SAFETY: returns a pseudo handle of this thread, which needs no closing.
    let thread = unsafe { GetCurrentThread() };
    // SAFETY: this thread holds nothing that the process that resumes it needs.
    unsafe { SuspendThread(thread) };
}

/// Ends this process at once, without unwinding, flushing or dropping.
#[cfg(feature = "crash-points")]
pub(crate) fn die() -> ! {
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};
    /// The exit code that stands for a kill.
    const KILLED: u32 = 9;
    loop {
        // SAFETY: returns a pseudo handle of this process, which needs no closing.
        let process = unsafe { GetCurrentProcess() };
        // SAFETY: ends this process, and with it every use of its memory.
        unsafe { TerminateProcess(process, KILLED) };
    }
}
