//! Process and machine identity on macOS.

#![allow(unsafe_code, reason = "rustix asks neither sysctl nor for entropy here: by libc")]

use std::ffi::{CStr, c_void};
use std::io;
use std::ptr;

use crate::error::{Error, Result};
use crate::sys::fork::Once;

/// Random bytes of the kernel's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    const { assert!(N <= 256, "more than the system gives at once") };
    let mut bytes = [0; N];
    // SAFETY: so many bytes have room.
    if unsafe { libc::getentropy(bytes.as_mut_ptr().cast::<c_void>(), N) } == -1 {
        let error = Error::from_os(io::Error::last_os_error());
        return Err(error.because("the system refuses random numbers"));
    }
    Ok(bytes)
}

/// What tells this run of the machine from its other runs; zeros where the system does not say.
pub(crate) fn boot_id() -> [u8; 16] {
    static BOOT_ID: Once<[u8; 16]> = Once::new();
    *BOOT_ID.get_or_make(|| {
        // 36 characters, and a 0.
        let mut text = [0; 37];
        // SAFETY: any bytes will do.
        let told = unsafe { ask(c"kern.bootsessionuuid", &mut text) };
        parse_uuid(if told { &text } else { &[] })
    })
}

/// The number that a UUID's digits are, or 0 where it is none.
fn parse_uuid(text: &[u8]) -> [u8; 16] {
    let digits: String =
        text.iter().map(|&byte| char::from(byte)).filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).unwrap_or(0).to_be_bytes()
}

/// When this run of the machine began: nanoseconds since 1970. The system moves it when it sets
/// its clock.
pub(crate) fn booted_unix_ns() -> u64 {
    let mut booted = libc::timeval { tv_sec: 0, tv_usec: 0 };
    // SAFETY: a structure of two numbers, which may be any.
    if !unsafe { ask(c"kern.boottime", &mut booted) } {
        return 0;
    }
    let (seconds, micros) = (booted.tv_sec.max(0) as u64, booted.tv_usec.max(0) as u64);
    seconds.saturating_mul(1_000_000_000).saturating_add(micros * 1_000)
}

/// Asks the kernel for a value of this name; says whether it gave one.
///
/// # Safety
/// Any bytes are a `T`.
unsafe fn ask<T>(name: &CStr, into: &mut T) -> bool {
    let mut bytes = size_of::<T>();
    let into = ptr::from_mut(into).cast::<c_void>();
    // SAFETY: the name ends in zero, and the answer has as many bytes as are told, which may be
    // any; nothing is set.
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
