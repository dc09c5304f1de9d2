//! How much memory the machine has left.
//!
//! The system commits memory that does not exist, and then kills processes: for a file in memory
//! only the mount sets a limit, and anonymous memory has none.

use std::fs::{self, File};

use crate::error::{Error, ErrorKind, Result};

/// Less is not worth the question.
const LARGE: u64 = 64 << 20;

/// Refuses to commit `bytes` more bytes of a file in memory, if the machine has fewer left.
pub(super) fn check_memory_left(file: &File, bytes: u64) -> Result<()> {
    if bytes < LARGE || !is_in_memory(file) {
        return Ok(());
    }
    // Without `/proc` no size is refused.
    let Some(left) = fs::read_to_string("/proc/meminfo").ok().and_then(|it| bytes_left(&it)) else {
        return Ok(());
    };
    if bytes <= left {
        return Ok(());
    }
    let why = format!("no space for {bytes} bytes: the machine has {left} bytes of memory left");
    Err(Error::new(ErrorKind::OutOfSpace, why))
}

/// Returns whether a file is in memory, where only its mount may limit its size.
fn is_in_memory(file: &File) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    // The magic number is 32 bits wide; some architectures extend its sign.
    let kind = rustix::fs::fstatfs(file).map(|it| it.f_type as u64 & 0xffff_ffff);
    matches!(kind, Ok(TMPFS | RAMFS))
}

/// Returns how many bytes of memory and of swap space are left, as `/proc/meminfo` says.
fn bytes_left(meminfo: &str) -> Option<u64> {
    let field = |name| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    Some((field("MemAvailable:")? + field("SwapFree:")?) << 10)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_memory_and_swap_space() {
        let meminfo = "MemTotal:  100 kB\nMemAvailable:  50 kB\nSwapTotal: 9 kB\nSwapFree:  7 kB\n";
        assert_eq!(bytes_left(meminfo), Some(57 << 10));
        assert_eq!(bytes_left("MemTotal: 100 kB\n"), None);
    }
}
