//! The fields of `struct stat` on Linux.

use rustix::fs::Stat;

use super::Identity;

/// Returns which file it is.
pub(super) fn identity_of(stat: &Stat) -> Identity {
    Identity { device: stat.st_dev, file: stat.st_ino }
}

/// Returns how many names the file has.
pub(super) fn links_of(stat: &Stat) -> u64 {
    // The width of this field depends on the processor.
    fn widened(number: impl Into<u64>) -> u64 {
        number.into()
    }
    widened(stat.st_nlink)
}

/// Returns the kind of the file and its permission bits.
pub(super) fn mode_of(stat: &Stat) -> u32 {
    stat.st_mode
}
