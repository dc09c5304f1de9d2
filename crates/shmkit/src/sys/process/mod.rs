//! What this process is to others: for people to read, never as proof of life.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{boot_id, booted_unix_ns, random};
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::{boot_id, booted_unix_ns, random};
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::user_id;
#[cfg(all(unix, feature = "crash-points"))]
pub(crate) use unix::{die, stop};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{boot_id, booted_unix_ns, random, user_id};
#[cfg(all(windows, feature = "crash-points"))]
pub(crate) use windows::{die, stop};

use std::time::{SystemTime, UNIX_EPOCH};

use crate::sys::fork::Once;

/// Nanoseconds since 1970, of the wall clock.
pub(crate) fn unix_time_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// The name by which the program was started, cut to 16 bytes of whole characters.
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
