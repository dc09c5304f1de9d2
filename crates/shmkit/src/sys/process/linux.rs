//! The identity of this run of the machine, on Linux.

use crate::sys::fork::Once;

/// Returns a number that differs between runs of the machine; zeros if the system has none.
pub(crate) fn boot_id() -> [u8; 16] {
    static BOOT_ID: Once<[u8; 16]> = Once::new();
    *BOOT_ID.get_or_make(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        u128::from_str_radix(&digits, 16).unwrap_or(0).to_be_bytes()
    })
}

/// Returns when this run of the machine began, by the present wall clock: nanoseconds since 1970.
pub(crate) fn booted_unix_ns() -> u64 {
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let up_ns = up.tv_sec as u64 * 1_000_000_000 + up.tv_nsec as u64;
    super::unix_time_ns().saturating_sub(up_ns)
}
