//! Process and machine identity on Windows.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::ptr;

use windows_sys::Win32::Security::Cryptography::{
    BCRYPT_USE_SYSTEM_PREFERRED_RNG, BCryptGenRandom,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::win32::security;

/// The user, who owns what this process creates.
pub(crate) fn user_id() -> u32 {
    security::user_number()
}

/// Random bytes of the system's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    // SAFETY: no algorithm is named, and so many bytes have room.
    let status = unsafe {
        BCryptGenRandom(
            ptr::null_mut(),
            bytes.as_mut_ptr(),
            N as u32,
            BCRYPT_USE_SYSTEM_PREFERRED_RNG,
        )
    };
    if status < 0 {
        let why = format!("the system refuses random numbers: {status:#x}");
        return Err(Error::new(ErrorKind::Os, why));
    }
    Ok(bytes)
}

/// What tells this run of the machine from its other runs; zeros where the system does not say.
///
/// `KUSER_SHARED_DATA.BootId` counts them. It is on a page that is at the same address in every
/// process, and can only be read.
pub(crate) fn boot_id() -> [u8; 16] {
    const BOOT_ID: usize = 0x7ffe_0000 + 0x2c4;
    let count = ptr::with_exposed_provenance::<u32>(BOOT_ID);
    // SAFETY: mapped in every process, aligned, and constant while the machine runs.
    let count = unsafe { count.read_volatile() };
    let mut id = [0; 16];
    id[..4].copy_from_slice(&count.to_le_bytes());
    id
}

/// When this run of the machine began: nanoseconds since 1970, as the wall clock has it now.
pub(crate) fn booted_unix_ns() -> u64 {
    // SAFETY: takes nothing.
    let up_ms = unsafe { GetTickCount64() };
    super::unix_time_ns().saturating_sub(up_ms * 1_000_000)
}

/// Stands still until another resumes this thread.
#[cfg(feature = "crash-points")]
pub(crate) fn stop() {
    use windows_sys::Win32::System::Threading::{GetCurrentThread, SuspendThread};
    // SAFETY: names this thread, without a handle to close.
    let thread = unsafe { GetCurrentThread() };
    // SAFETY: this thread holds nothing that the one who resumes it needs.
    unsafe { SuspendThread(thread) };
}

/// Ends this process at once: nothing is unwound, flushed or dropped.
#[cfg(feature = "crash-points")]
pub(crate) fn die() -> ! {
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};
    /// What a process has for its end that was killed.
    const KILLED: u32 = 9;
    loop {
        // SAFETY: names this process, without a handle to close.
        let process = unsafe { GetCurrentProcess() };
        // SAFETY: ends this very process.
        unsafe { TerminateProcess(process, KILLED) };
    }
}
