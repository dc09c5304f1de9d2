//! Byte-range locks on files, by which the kernel proves that a process lives.
//!
//! A lock belongs to the *open file description* that acquired it, and ends with it, however the
//! process ends. An open file description does not see its own locks, so a process that holds locks
//! uses another one to test for locks.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{PRESENCE, first_locked, is_locked, lock, take, try_lock, unlock};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{PRESENCE, first_locked, is_locked, lock, take, try_lock, unlock};

/// The mode of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Other holders may have the lock in shared mode too.
    Shared,
    /// There is one holder. Needs a writable descriptor.
    Exclusive,
}

/// A range of byte offsets of a file, which can lie beyond its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: u64,
    pub(crate) length: u64,
}

impl Range {
    /// Returns the range of one byte.
    pub(crate) const fn byte(start: u64) -> Self {
        Self { start, length: 1 }
    }

    /// The gate of a file with a name: held in shared mode by a process that attaches to what is in
    /// the file, in exclusive mode by one that removes it. Far beyond the data: on Windows a lock
    /// prevents other processes from reading.
    pub(crate) const GATE: Self = Self::byte(1 << 62);

    /// Every byte that the file has or can have.
    pub(crate) const WHOLE: Self = Self { start: 0, length: u64::MAX };

    /// Returns the offset after the last byte.
    pub(crate) const fn end(self) -> u64 {
        self.start.saturating_add(self.length)
    }
}
