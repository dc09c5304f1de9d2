//! Windows has no `fork`: an owned file is a file, and a stamp is a number.

use core::sync::atomic::{AtomicU64, Ordering};
use std::fs::File;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::OnceLock;

use super::FIRST_SECOND;
use crate::error::Result;
use crate::sys::lock::{self, Range};
use crate::sys::random::random;
use crate::sys::status::{self, Identity, Status};

/// An open file. No other part of the program closes its handle.
#[derive(Debug)]
pub(crate) struct OwnedFile {
    file: File,
    identity: Identity,
    /// 0: never.
    named_ms: AtomicU64,
}

impl OwnedFile {
    /// Takes a file that `open` opens, or that it got from the caller. Also returns its status.
    pub(crate) fn open(open: impl FnOnce() -> Result<(File, Status)>) -> Result<(Self, Status)> {
        open().map(|(file, status)| (Self::with(file, status.identity), status))
    }

    fn with(file: File, identity: Identity) -> Self {
        Self { file, identity, named_ms: AtomicU64::new(0) }
    }

    /// Returns when its name was last found to lead to the file, in milliseconds of this process.
    pub(crate) fn named_ms(&self) -> Option<u64> {
        // ORDERING: Relaxed; a thread that loads an old moment asks for the name once more.
        Some(self.named_ms.load(Ordering::Relaxed)).filter(|ms| *ms != 0)
    }

    /// Stores when its name was found to lead to the file.
    pub(crate) fn set_named_ms(&self, moment_ms: u64) {
        // ORDERING: Relaxed; as above.
        self.named_ms.store(moment_ms, Ordering::Relaxed);
    }

    /// Returns which file was opened.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Returns what the file system reports about the file.
    pub(crate) fn status(&self) -> Result<Status> {
        status::status(&self.file)
    }

    /// Takes the answer of a request for the file's status. On Windows it is always right.
    pub(crate) fn check_status(&self, answer: Result<Status>) -> Result<Status> {
        answer
    }

    /// Returns an error if the handle is not this value's own any more. On Windows it always is.
    pub(crate) fn check_open(&self) -> Result<()> {
        Ok(())
    }

    /// Gives the file to the caller.
    pub(crate) fn into_file(self) -> Result<File> {
        Ok(self.file)
    }
}

impl Deref for OwnedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

/// A file whose handle holds locks. The handle does not see its own locks.
pub(crate) struct LockFile {
    file: OwnedFile,
    unlocked_at_close: Option<Range>,
}

impl LockFile {
    /// Opens a lock file by `open`. Child processes do not inherit it.
    pub(crate) fn open(open: impl FnOnce() -> Result<File>) -> Result<Self> {
        let file = open()?;
        let identity = status::identity(&file)?;
        Ok(Self { file: OwnedFile::with(file, identity), unlocked_at_close: None })
    }

    /// The same, with the status of the file.
    pub(crate) fn open_with_status(
        open: impl FnOnce() -> Result<(File, Status)>,
    ) -> Result<(Self, Status)> {
        let (file, status) = OwnedFile::open(open)?;
        Ok((Self { file, unlocked_at_close: None }, status))
    }

    /// Releases a lock when the file is closed: the system releases it some time later.
    pub(crate) fn unlock_at_close(&mut self, range: Range) {
        self.unlocked_at_close = Some(range);
    }
}

impl Deref for LockFile {
    type Target = OwnedFile;

    fn deref(&self) -> &OwnedFile {
        &self.file
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if let Some(range) = self.unlocked_at_close {
            lock::unlock(&self.file, range);
        }
    }
}

/// A mapping whose pages would hold zeros in a forked child.
#[derive(Debug)]
pub(crate) struct WipedOnFork<M>(M);

#[allow(unsafe_code, reason = "unsafe on systems with fork")]
impl<M> WipedOnFork<M> {
    /// Makes a mapping by `map`, and registers nothing.
    ///
    /// # Safety
    /// None here.
    pub(crate) unsafe fn new(
        map: impl FnOnce() -> Result<M>,
        _pages_of: impl FnOnce(&M) -> (NonNull<u8>, usize),
    ) -> Result<Self> {
        map().map(Self)
    }
}

impl<M> Deref for WipedOnFork<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
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

/// See [`ProcessStamp::second`].
static SECOND: AtomicU64 = AtomicU64::new(FIRST_SECOND);

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

    /// Returns the second since 1970 in which a thread of the process last read the clock.
    #[inline(always)]
    pub(crate) fn second(self) -> u64 {
        // ORDERING: Relaxed; only the time counts.
        SECOND.load(Ordering::Relaxed)
    }

    /// Stores the present second.
    pub(crate) fn set_second(second: u64) {
        // ORDERING: Relaxed; as above.
        SECOND.store(second.max(FIRST_SECOND), Ordering::Relaxed);
    }

    /// Returns whether this process made the stamp. On Windows always true.
    #[inline(always)]
    pub(crate) fn is_mine(self) -> bool {
        true
    }
}
