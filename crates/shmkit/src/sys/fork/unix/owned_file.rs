//! The open files of the library, by the numbers of their descriptors.
//!
//! Another part of the program can close the descriptors of the library (`closefrom`). The system
//! then gives their numbers to the next files that are opened, by the library or by other code. So
//! a descriptor belongs to a value of this module if both are true:
//!
//! - **Its number is registered for this value.** Each file is opened, and its number registered,
//!   under the lock of the registry. A number that is already registered has lost its previous
//!   file, so the new registration replaces the old one. This also tells apart two descriptors of
//!   one file.
//! - **It refers to the same file**, by device and inode. Other code does not register.
//!
//! A value never closes a descriptor that is not its own. One case cannot be distinguished: other
//! code opened the same file under the number, or a new file that got the inode of a deleted one.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

use super::{Registry, RegistryGuard, ensure_handlers};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::lock::{self, Range};
use crate::sys::status::{self, Identity, Status};

/// An open file. When it is dropped, it closes its descriptor only if that is still its own.
#[derive(Debug)]
pub(crate) struct OwnedFile {
    file: ManuallyDrop<File>,
    registration: u64,
    identity: Identity,
    unlocked_at_close: Option<Range>,
}

impl OwnedFile {
    /// Registers a file that `open` opens, or that it got from the caller. Also returns its status.
    ///
    /// No file of the library is opened or closed, and no process forked, while `open` runs.
    pub(crate) fn open(open: impl FnOnce() -> Result<(File, Status)>) -> Result<(Self, Status)> {
        ensure_handlers()?;
        let mut registry = Registry::lock_without_handlers();
        let (file, status) = open()?;
        Ok((Self::register(&mut registry, file, status.identity, false), status))
    }

    fn register(
        registry: &mut Registry,
        file: File,
        identity: Identity,
        holds_locks: bool,
    ) -> Self {
        let registration = registry.files.register(file.as_raw_fd(), identity, holds_locks);
        let file = ManuallyDrop::new(file);
        Self { file, registration, identity, unlocked_at_close: None }
    }

    /// Returns which file was opened.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Returns what the file system reports about the file. `RoleLost` if the process closed the
    /// descriptor.
    pub(crate) fn status(&self) -> Result<Status> {
        self.check_status(status::status(&self.file))
    }

    /// Checks the answer of a request for the file's status. It is `RoleLost` if the process closed
    /// the descriptor.
    pub(crate) fn check_status(&self, answer: Result<Status>) -> Result<Status> {
        match answer {
            Ok(status) if status.identity == self.identity => Ok(status),
            Err(error) if errno(&error) != Some(Errno::BADF) => Err(error.because(NO_STATUS)),
            Ok(_) | Err(_) => Err(closed()),
        }
    }

    /// Returns an error if the descriptor is not this value's own any more.
    pub(crate) fn check_open(&self) -> Result<()> {
        self.status()?;
        // Last, since another file that is being opened under the number is not registered yet.
        let registry = Registry::lock_without_handlers();
        match registry.files.find(self.as_raw_fd(), self.registration) {
            Some(_) => Ok(()),
            None => Err(closed()),
        }
    }

    /// Gives the file to the caller. `RoleLost` if the process closed the descriptor.
    pub(crate) fn into_file(self) -> Result<File> {
        let mut value = ManuallyDrop::new(self);
        let _registry = value.unregister().ok_or_else(closed)?;
        // SAFETY: `value` is not dropped and not used again.
        Ok(unsafe { ManuallyDrop::take(&mut value.file) })
    }

    /// Ends the registration. Returns `None` if the descriptor is not this value's own any more;
    /// otherwise the locked registry and whether a forked child must not inherit the descriptor.
    fn unregister(&self) -> Option<(RegistryGuard, bool)> {
        // Not under the lock: a file system that is mounted by this process may answer.
        let found = status::identity(self.file.as_fd());
        let mut registry = Registry::lock_without_handlers();
        let entry = registry.files.remove(self.as_raw_fd(), self.registration)?;
        (found == Ok(entry.file)).then_some((registry, entry.holds_locks))
    }
}

const NO_STATUS: &str = "the status of its file cannot be read";

/// Returns the system's error.
fn errno(error: &Error) -> Option<Errno> {
    error.os_error().and_then(Errno::from_io_error)
}

#[cold]
fn closed() -> Error {
    let why = "the process closed the descriptor of its file: open it again";
    Error::new(ErrorKind::RoleLost, why)
}

impl Deref for OwnedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Drop for OwnedFile {
    fn drop(&mut self) {
        let Some((registry, holds_locks)) = self.unregister() else { return };
        // A child that is forked between the end of the registration and the close would keep the
        // open file description, and its locks. Without locks, no other opener has to wait for the
        // close.
        let _no_fork = holds_locks.then_some(registry);
        if let Some(range) = self.unlocked_at_close {
            lock::unlock(&self.file, range);
        }
        // SAFETY: this is `drop`, so nothing uses the file after it.
        unsafe { ManuallyDrop::drop(&mut self.file) };
    }
}

/// A file whose open file description holds locks. The description does not see its own locks. If
/// it is mapped, by [`WipedOnFork`](super::WipedOnFork), its locks last as long as the mapping.
pub(crate) struct LockFile(OwnedFile);

impl LockFile {
    /// Opens a lock file by `open` and registers it. No `fork` happens in between.
    pub(crate) fn open(open: impl FnOnce() -> Result<File>) -> Result<Self> {
        let mut registry = Registry::lock()?;
        let file = open()?;
        let identity = status::identity(file.as_fd())
            .map_err(|error| Error::from_os(error).because(NO_STATUS))?;
        Ok(Self(OwnedFile::register(&mut registry, file, identity, true)))
    }

    /// The same, with the status of the file.
    pub(crate) fn open_with_status(
        open: impl FnOnce() -> Result<(File, Status)>,
    ) -> Result<(Self, Status)> {
        let mut registry = Registry::lock()?;
        let (file, status) = open()?;
        Ok((Self(OwnedFile::register(&mut registry, file, status.identity, true)), status))
    }

    /// Releases a lock when the file is closed: also if a child that has not executed its program
    /// yet keeps the open file description.
    pub(crate) fn unlock_at_close(&mut self, range: Range) {
        self.0.unlocked_at_close = Some(range);
    }
}

impl Deref for LockFile {
    type Target = OwnedFile;

    fn deref(&self) -> &OwnedFile {
        &self.0
    }
}

#[cfg(test)]
mod tests;
