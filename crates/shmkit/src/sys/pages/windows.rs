//! `GetSystemInfo`.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::sync::OnceLock;

use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};

#[derive(Clone, Copy)]
struct Units {
    page: usize,
    granularity: usize,
}

fn units() -> Units {
    static UNITS: OnceLock<Units> = OnceLock::new();
    *UNITS.get_or_init(|| {
        let mut info = SYSTEM_INFO::default();
        // SAFETY: `info` has room for the answer.
        unsafe { GetSystemInfo(&raw mut info) };
        Units { page: info.dwPageSize as usize, granularity: info.dwAllocationGranularity as usize }
    })
}

/// Returns the unit of protection and of sizes, a power of two.
pub(crate) fn page_size() -> usize {
    units().page
}

/// Returns the unit of addresses and offsets of views, a power of two.
pub(crate) fn granularity() -> usize {
    units().granularity
}
