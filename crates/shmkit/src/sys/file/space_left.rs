//! How much space a file system, and how much memory the machine has left.
//!
//! The system commits memory that does not exist, and then kills processes: for a file in memory
//! only the mount sets a limit, and anonymous memory has none. A file system on a disk allocates
//! all that it has before it finds that it is too little, and then has nothing for others.

use std::fs::{self, File};

use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::limits::no_space;

/// Less is not worth the question.
const LARGE: u64 = 64 << 20;

/// Refuses to commit `bytes` more bytes of a file if its file system has fewer left; or, if it is
/// in memory, the machine.
pub(super) fn check_space_left(file: &File, bytes: u64) -> Result<()> {
    if bytes < LARGE {
        return Ok(());
    }
    // Without a limit, a file system in memory has no blocks.
    if let Ok(it) = rustix::fs::fstatvfs(file)
        && it.f_blocks > 0
        && it.f_bfree.saturating_mul(it.f_frsize) < bytes
    {
        return Err(no_space(Errno::NOSPC, &format!("{bytes} bytes"), Ok(it)));
    }
    if !is_in_memory(file) {
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
    fn a_file_that_cannot_fit_is_refused_before_it_takes_the_space_of_others() {
        // The target directory is on a disk, where a file system gives away all that it has first.
        let file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let refused = super::super::commit(&file, 0, 1 << 45).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::OutOfSpace);
        let why = refused.reason();
        assert!(why.contains("no space for 35184372088832 bytes: its file system has "), "{why}");
        assert!(!why.contains(" has 0 of "), "{why}");
        assert_eq!(file.metadata().unwrap().len(), 0);
    }

    #[test]
    fn what_is_left_is_memory_and_swap_space() {
        let meminfo = "MemTotal:  100 kB\nMemAvailable:  50 kB\nSwapTotal: 9 kB\nSwapFree:  7 kB\n";
        assert_eq!(bytes_left(meminfo), Some(57 << 10));
        assert_eq!(bytes_left("MemTotal: 100 kB\n"), None);
    }
}
