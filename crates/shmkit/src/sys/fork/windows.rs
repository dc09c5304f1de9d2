//! Windows has no `fork`: a lock file is a file, and a stamp is a number.

use std::fs::File;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::OnceLock;

use crate::error::Result;
use crate::sys::random::random;

/// A file whose handle is for holding locks only. It is never mapped, and never used to test
/// whether a byte is locked.
pub(crate) struct LockFile(File);

impl LockFile {
    /// Opens a lock file by `open`. Child processes do not inherit it.
    pub(crate) fn open(open: impl FnOnce() -> Result<File>) -> Result<Self> {
        open().map(Self)
    }

    /// Returns whether the handle still refers to the file that was opened. On Windows always true.
    pub(crate) fn is_there(&self) -> bool {
        true
    }
}

impl Deref for LockFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

/// Pages that would hold zeros in a forked child.
#[derive(Debug)]
pub(crate) struct WipedOnFork;

#[allow(unsafe_code, reason = "unsafe on systems with fork")]
impl WipedOnFork {
    /// Registers nothing.
    ///
    /// # Safety
    /// None here.
    pub(crate) unsafe fn register(_first: NonNull<u8>, _bytes: usize) -> Result<Self> {
        Ok(Self)
    }
}

/// A value that a process makes once.
pub(crate) struct Once<T>(OnceLock<T>);

impl<T> Once<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Returns the value. The first call makes it by `make`.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(make)
    }
}

/// Names the process that made a handle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessStamp(u64);

impl ProcessStamp {
    /// Returns the stamp of this process.
    pub(crate) fn of_this_process() -> Result<Self> {
        static NUMBER: OnceLock<u64> = OnceLock::new();
        let random = u64::from_le_bytes(random()?).max(1);
        Ok(Self(*NUMBER.get_or_init(|| random)))
    }

    /// Returns a number that no other process has.
    #[inline(always)]
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// Returns whether this process made the stamp. On Windows always true.
    #[inline(always)]
    pub(crate) fn is_mine(self) -> bool {
        true
    }
}
