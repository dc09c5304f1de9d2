//! The identity of this run of the machine, on macOS.

#![allow(unsafe_code, reason = "rustix has no sysctl: by libc")]

use std::ffi::{CStr, c_void};
use std::ptr;

use crate::sys::fork::Once;

/// Returns whether this program has more rights than the user who started it.
pub(super) fn has_more_rights() -> bool {
    // SAFETY: the call takes nothing and returns a number.
    (unsafe { libc::issetugid() }) != 0
}

/// Returns false: every number stands for one user.
pub(crate) fn is_nobody(_user: u32) -> bool {
    false
}

/// Returns a number that differs between runs of the machine; zeros if the system has none.
pub(crate) fn boot_id() -> [u8; 16] {
    static BOOT_ID: Once<[u8; 16]> = Once::new();
    *BOOT_ID.get_or_make(|| {
        // 36 characters and a terminating zero.
        let mut text = [0; 37];
        // SAFETY: an array of bytes may have any bytes.
        let found = unsafe { query(c"kern.bootsessionuuid", &mut text) };
        parse_uuid(if found { &text } else { &[] })
    })
}

/// Returns the number that a UUID's digits form; 0 if the text is not a UUID.
fn parse_uuid(text: &[u8]) -> [u8; 16] {
    let digits: String =
        text.iter().map(|&byte| char::from(byte)).filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).unwrap_or(0).to_be_bytes()
}

/// Returns when this run of the machine began: nanoseconds since 1970. The system adjusts it when
/// the clock is set.
pub(crate) fn booted_unix_ns() -> u64 {
    let mut booted = libc::timeval { tv_sec: 0, tv_usec: 0 };
    // SAFETY: a structure of two integers, which may have any bytes.
    if !unsafe { query(c"kern.boottime", &mut booted) } {
        return 0;
    }
    let (seconds, micros) = (booted.tv_sec.max(0) as u64, booted.tv_usec.max(0) as u64);
    seconds.saturating_mul(1_000_000_000).saturating_add(micros * 1_000)
}

/// Returns how long this run of the machine has lasted, in nanoseconds: the same in all processes.
/// It never goes back.
pub(crate) fn since_boot_ns() -> u64 {
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    up.tv_sec as u64 * 1_000_000_000 + up.tv_nsec as u64
}

/// Reads a value of the kernel by its name. Returns whether there is one.
///
/// # Safety
/// Any bytes are a valid `T`.
unsafe fn query<T>(name: &CStr, into: &mut T) -> bool {
    let mut bytes = size_of::<T>();
    let into = ptr::from_mut(into).cast::<c_void>();
    // SAFETY: the name ends in a zero. `into` has `bytes` bytes, which may be any. No value is set.
    let answer =
        unsafe { libc::sysctlbyname(name.as_ptr(), into, &raw mut bytes, ptr::null_mut(), 0) };
    answer == 0 && bytes > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_is_known_by_its_uuid() {
        let id = parse_uuid(b"01234567-89AB-CDEF-0123-456789ABCDEF\0");
        assert_eq!(id, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes());
        assert_eq!(parse_uuid(b""), [0; 16]);
        assert_ne!(boot_id(), [0; 16]);
        assert!((1..super::super::unix_time_ns()).contains(&booted_unix_ns()));
    }
}
