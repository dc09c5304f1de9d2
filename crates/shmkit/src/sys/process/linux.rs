//! The identity of this run of the machine, on Linux.

#![allow(unsafe_code, reason = "no safe function tells whether a program has more rights")]

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

/// Returns whether this program has more rights than the user who started it: it is set-user-id or
/// set-group-id, or has file capabilities.
pub(super) fn has_more_rights() -> bool {
    // SAFETY: the call takes a number and returns one.
    (unsafe { libc::getauxval(libc::AT_SECURE) }) != 0
}

/// Returns whether the number stands for all users that this user namespace does not map, so that
/// two of them may be different users.
pub(crate) fn is_nobody(user: u32) -> bool {
    /// The number, unless the administrator changed `/proc/sys/kernel/overflowuid`.
    const NOBODY: u32 = 65_534;
    user == NOBODY && !maps_all_users()
}

fn maps_all_users() -> bool {
    let Ok(map) = std::fs::read_to_string("/proc/self/uid_map") else {
        // Without user namespaces, the kernel has no such file. Without `/proc`, assume one.
        return std::fs::exists("/proc/self/stat").unwrap_or(false);
    };
    // Each line ends with a number of users. The map of the first user namespace has all users.
    let mapped = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    mapped.sum::<u64>() >= u32::MAX.into()
}

/// Returns when this run of the machine began, by the present wall clock: nanoseconds since 1970.
pub(crate) fn booted_unix_ns() -> u64 {
    super::unix_time_ns().saturating_sub(since_boot_ns())
}

/// Returns how long this run of the machine has lasted, in nanoseconds: the same in all processes,
/// unless they are in different time namespaces. It never goes back.
pub(crate) fn since_boot_ns() -> u64 {
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    up.tv_sec as u64 * 1_000_000_000 + up.tv_nsec as u64
}
