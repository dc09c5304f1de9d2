//! No process is forked here: a lock file is a file, and a stamp is a number.

use std::fs::File;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::OnceLock;

use crate::error::Result;
use crate::sys::process::random;

/// A file whose handle holds locks, and nothing else: never mapped, never asked through.
pub(crate) struct LockFile(File);

impl LockFile {
    /// What `open` opens. It is not inherited.
    pub(crate) fn open(open: impl FnOnce() -> Result<File>) -> Result<Self> {
        open().map(Self)
    }

    /// Whether the handle still leads to the file that was opened. Nobody closes others' by number.
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

/// Pages that a forked child would find as zeros.
#[derive(Debug)]
pub(crate) struct WipedOnFork;

#[allow(unsafe_code, reason = "the same promise as where there are forked children")]
impl WipedOnFork {
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

    /// The value, which `make` makes if nobody has.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(make)
    }
}

/// Names the process that made a handle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp(u64);

impl Stamp {
    /// The stamp of this process.
    pub(crate) fn of_this_process() -> Result<Self> {
        static NUMBER: OnceLock<u64> = OnceLock::new();
        let random = u64::from_le_bytes(random()?).max(1);
        Ok(Self(*NUMBER.get_or_init(|| random)))
    }

    /// A number that no other process has.
    #[inline(always)]
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// Whether this process made the stamp. Nobody inherits one.
    #[inline(always)]
    pub(crate) fn is_mine(self) -> bool {
        true
    }
}
