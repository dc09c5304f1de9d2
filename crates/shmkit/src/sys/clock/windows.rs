//! `QueryPerformanceCounter`.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::sync::OnceLock;

use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};

/// Returns the microseconds of the monotonic clock.
pub(crate) fn monotonic_us() -> u64 {
    static PER_SECOND: OnceLock<i64> = OnceLock::new();
    let per_second = *PER_SECOND.get_or_init(|| {
        let mut frequency = 0;
        // SAFETY: the pointer is valid for the answer. The call never fails since Windows XP.
        unsafe { QueryPerformanceFrequency(&raw mut frequency) };
        frequency.max(1)
    });
    let mut count = 0;
    // SAFETY: the pointer is valid for the answer. The call never fails since Windows XP.
    unsafe { QueryPerformanceCounter(&raw mut count) };
    (i128::from(count) * 1_000_000 / i128::from(per_second)) as u64
}
