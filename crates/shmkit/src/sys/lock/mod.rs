//! Byte-range locks on files, by which the kernel says who is alive.
//!
//! A lock belongs to the *open file description* that took it and goes with it, however the
//! process ends. Asked through that same description a lock looks free, so whoever takes locks
//! asks through another one.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{PRESENCE, first_locked, is_locked, lock, take, try_lock, unlock};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{PRESENCE, first_locked, is_locked, lock, take, try_lock, unlock};

/// How a range is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// With others who share it.
    Shared,
    /// By one alone. Needs a descriptor that may write.
    Exclusive,
}

/// Bytes of the file's address space; they need not exist in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: u64,
    pub(crate) length: u64,
}

impl Range {
    /// One byte.
    pub(crate) const fn byte(start: u64) -> Self {
        Self { start, length: 1 }
    }

    /// Every byte that the file has or will have.
    pub(crate) const WHOLE: Self = Self { start: 0, length: u64::MAX };

    /// The byte after the last.
    pub(crate) const fn end(self) -> u64 {
        self.start.saturating_add(self.length)
    }
}
