//! Process and machine identity on Linux.

use rustix::rand::{GetRandomFlags, getrandom};

use crate::error::{Error, Result};
use crate::sys::fork::Once;

/// Random bytes of the kernel's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                return Err(Error::from_os(error).because("the system refuses random numbers"));
            }
        }
    }
    Ok(bytes)
}

/// What tells this run of the machine from its other runs; zeros where the system does not say.
pub(crate) fn boot_id() -> [u8; 16] {
    static BOOT_ID: Once<[u8; 16]> = Once::new();
    *BOOT_ID.get_or_make(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        u128::from_str_radix(&digits, 16).unwrap_or(0).to_be_bytes()
    })
}

/// When this run of the machine began: nanoseconds since 1970, as the wall clock has it now.
pub(crate) fn booted_unix_ns() -> u64 {
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let up_ns = up.tv_sec as u64 * 1_000_000_000 + up.tv_nsec as u64;
    super::unix_time_ns().saturating_sub(up_ns)
}
