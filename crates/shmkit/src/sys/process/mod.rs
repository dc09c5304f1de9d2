//! The identity of this process, to show to people and never as proof of life; the identity of this
//! run of the machine; its processors; the time.

mod environment;
pub(crate) use environment::variable;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{boot_id, booted_unix_ns, is_nobody, since_boot_ns};
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::{boot_id, booted_unix_ns, is_nobody, since_boot_ns};
#[cfg(unix)]
mod unix;
#[cfg(all(unix, feature = "crash-points"))]
pub(crate) use unix::{die, stop};
#[cfg(unix)]
pub(crate) use unix::{has_one_processor, user_id};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    boot_id, booted_unix_ns, has_one_processor, is_nobody, since_boot_ns, user_id,
};
#[cfg(all(windows, feature = "crash-points"))]
pub(crate) use windows::{die, stop};

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::fork::Once;
pub(crate) use super::random::random;

/// Returns the time of the wall clock in nanoseconds since 1970.
pub(crate) fn unix_time_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Returns a moment in milliseconds of this process, which counts them from 1, at the first call.
pub(crate) fn milliseconds(moment: Instant) -> u64 {
    static START: Once<Instant> = Once::new();
    let start = *START.get_or_make(Instant::now);
    moment.saturating_duration_since(start).as_millis() as u64 + 1
}

/// Returns the name by which the program was started, cut to 16 bytes at a character's end.
pub(crate) fn program() -> [u8; 16] {
    static PROGRAM: Once<[u8; 16]> = Once::new();
    *PROGRAM.get_or_make(|| {
        let path = std::env::args_os().next().unwrap_or_default();
        let name = std::path::Path::new(&path).file_name().unwrap_or_default().to_string_lossy();
        let mut short = [0; 16];
        let length = name.floor_char_boundary(short.len());
        short[..length].copy_from_slice(&name.as_bytes()[..length]);
        short
    })
}
