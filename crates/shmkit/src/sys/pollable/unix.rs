//! A pipe: its reading end is readable while the flag is set.
//!
//! An `eventfd` would be one descriptor less, but all of them are one file to `fstat`. If another
//! part of the program closed its number (`closefrom`), and opened an `eventfd` of its own under
//! it, this flag would write there.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use rustix::io::{read, write};

use crate::error::{Error, Result};
use crate::sys::fork::OwnedFile;
use crate::sys::status;

/// The flag.
#[derive(Debug)]
pub(crate) struct Pollable {
    readable: OwnedFile,
    writable: OwnedFile,
}

impl Pollable {
    /// Returns a flag that is not set.
    pub(crate) fn new() -> Result<Self> {
        let (readable, writable) = open_pipe().map_err(Error::from_os)?;
        Ok(Self { readable: owned(readable)?, writable: owned(writable)? })
    }

    /// Sets the flag.
    pub(crate) fn set(&self) {
        // A pipe that the program closed is not written to: it could be another file by now, or
        // send a signal.
        if self.readable.check_open().is_ok() && self.writable.check_open().is_ok() {
            // If it is full, it is readable.
            let _ = write(&*self.writable, &[1]);
        }
    }

    /// Clears the flag.
    pub(crate) fn clear(&self) {
        if self.readable.check_open().is_ok() {
            while read(&*self.readable, &mut [0; 64]).is_ok_and(|count| count > 0) {}
        }
    }
}

/// A handle that an event loop polls in place of a [`WaitSet`](crate::WaitSet): see
/// [`WaitSet::poll_handle`](crate::WaitSet::poll_handle).
///
/// On Unix it implements `AsFd`, on Windows `AsHandle`. It stays open until the last copy is
/// dropped; once the set is dropped, it does not change any more.
#[derive(Clone, Debug)]
pub struct PollHandle(Arc<Pollable>);

impl PollHandle {
    pub(crate) fn of(flag: &Arc<Pollable>) -> Self {
        Self(flag.clone())
    }
}

impl AsFd for PollHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.readable.as_fd()
    }
}

impl AsRawFd for PollHandle {
    fn as_raw_fd(&self) -> RawFd {
        self.0.readable.as_raw_fd()
    }
}

fn owned(end: OwnedFd) -> Result<OwnedFile> {
    let end = File::from(end);
    let status = status::status(&end)?;
    OwnedFile::open(|| Ok((end, status))).map(|(file, _)| file)
}

/// Opens a pipe whose ends do not block, and that the next program does not inherit.
#[cfg(target_os = "linux")]
fn open_pipe() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    use rustix::pipe::{PipeFlags, pipe_with};

    pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
}

/// The same, in several steps.
#[cfg(not(target_os = "linux"))]
fn open_pipe() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    use rustix::fs::{OFlags, fcntl_setfl};
    use rustix::io::{FdFlags, fcntl_setfd};

    let ends = rustix::pipe::pipe()?;
    for end in [&ends.0, &ends.1] {
        fcntl_setfd(end, FdFlags::CLOEXEC)?;
        fcntl_setfl(end, OFlags::NONBLOCK)?;
    }
    Ok(ends)
}
