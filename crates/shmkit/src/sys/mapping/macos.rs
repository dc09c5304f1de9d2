//! `madvise`, `minherit`, `msync`. There are no huge pages.

#![allow(unsafe_code, reason = "calls of the system on pages that a `Mapping` owns")]

use std::ffi::c_int;
use std::io;
use std::ops::Range;

use rustix::io::Errno;

use super::Mapping;
use super::options::{Advice, Protection};
use crate::error::{Error, ErrorKind, Result};

impl Mapping {
    /// Writes the pages that hold `range` to the file, and waits for the device if `wait`. A loss
    /// of power loses what the device has in its own cache.
    pub(crate) fn flush(&self, range: Range<usize>, wait: bool) -> Result<()> {
        let flags = if wait { libc::MS_SYNC } else { libc::MS_ASYNC };
        let (start, bytes) = self.pages_of(range);
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the pages belong to this value, and flushing does not change their content.
        check(unsafe { libc::msync(start, bytes, flags) })
    }

    /// Tells the system the expected use of the pages that hold `range`.
    pub(crate) fn advise(&self, range: Range<usize>, advice: Advice) -> Result<()> {
        match advice {
            Advice::Normal => self.raw_advice(range, libc::MADV_NORMAL),
            Advice::Sequential => self.raw_advice(range, libc::MADV_SEQUENTIAL),
            Advice::Random => self.raw_advice(range, libc::MADV_RANDOM),
            Advice::WillNeed => self.raw_advice(range, libc::MADV_WILLNEED),
            // This discards nothing: the system reclaims these pages first, and swaps private ones.
            Advice::DontNeed | Advice::Cold => self.raw_advice(range, libc::MADV_DONTNEED),
            Advice::DontFork => self.inherit(range, libc::VM_INHERIT_NONE),
            Advice::Fork => {
                let private = self.protection == Protection::CopyOnWrite;
                let inheritance =
                    if private { libc::VM_INHERIT_COPY } else { libc::VM_INHERIT_SHARE };
                self.inherit(range, inheritance)
            }
            Advice::DontDump | Advice::Dump => {
                let why = "macOS takes no advice about core dumps";
                Err(Error::new(ErrorKind::Unsupported, why))
            }
        }
    }

    /// Does nothing: the system cannot. The program that starts a process decides about dumps.
    pub(crate) fn exclude_from_core_dumps(&self) -> Result<()> {
        Ok(())
    }

    /// Makes the pages of `range` present, so that the next access waits for none. Locks the pages
    /// in pieces, and unlocks them.
    pub(crate) fn prefault(&self, range: Range<usize>, _writes: bool) -> Result<()> {
        /// The bytes that are locked at once, which the system limits.
        const PIECE: usize = 16 << 20;
        let (first, bytes) = self.pages_of(range.clone());
        for at in (0..bytes).step_by(PIECE) {
            let (piece, bytes) = (first.wrapping_byte_add(at), PIECE.min(bytes - at));
            // SAFETY: the pages belong to this value, and locking does not change their content.
            match unsafe { rustix::mm::mlock(piece, bytes) } {
                Ok(()) => {}
                // An access would end the process by SIGBUS.
                Err(Errno::NOMEM) => {
                    let why = "the file system has no space for a page, or the file was shrunk";
                    return Err(Error::new(ErrorKind::OutOfSpace, why));
                }
                // The limit for locked memory is reached: reading ahead is the only way.
                Err(Errno::AGAIN | Errno::PERM) => {
                    return self.advise(range, Advice::WillNeed);
                }
                Err(error) => return Err(Error::from_os(error)),
            }
            // The system counts locks, so pages that were locked before stay locked.
            // SAFETY: as above.
            unsafe { rustix::mm::munlock(piece, bytes) }.map_err(Error::from_os)?;
        }
        Ok(())
    }

    /// Returns 0: the system forms no huge pages for files.
    pub(crate) fn huge_page_bytes(&self) -> Result<u64> {
        Ok(0)
    }

    fn raw_advice(&self, range: Range<usize>, advice: c_int) -> Result<()> {
        let (start, bytes) = self.pages_of(range);
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the pages belong to this value. None of the advice given here changes their
        // content.
        check(unsafe { libc::madvise(start, bytes, advice) })
    }

    fn inherit(&self, range: Range<usize>, how: c_int) -> Result<()> {
        let (start, bytes) = self.pages_of(range);
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the pages belong to this value, and do not change in this process.
        check(unsafe { libc::minherit(start, bytes, how) })
    }
}

/// Returns the system's last error if a function returned -1.
fn check(result: c_int) -> Result<()> {
    if result == 0 { Ok(()) } else { Err(Error::from_os(io::Error::last_os_error())) }
}
