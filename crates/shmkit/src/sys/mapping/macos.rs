//! `madvise`, `minherit`, `msync`; no huge pages.

#![allow(unsafe_code, reason = "mapping is unsafe to the system; a `Mapping` owns its pages")]

use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};

use rustix::io::Errno;

use super::unix::{flags_of, not_mapped, placed};
use super::{Advice, Mapping, Placement, Protection};
use crate::error::{Error, ErrorKind, Result};

impl Mapping {
    /// Writes the pages that hold `range` back to the file; waits for the device if `wait`. What
    /// the device itself has not written yet is lost with its power.
    pub(crate) fn flush(&self, range: Range<usize>, wait: bool) -> Result<()> {
        let flags = if wait { libc::MS_SYNC } else { libc::MS_ASYNC };
        let (start, bytes) = self.pages_of(range);
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the pages are this value's, and flushing changes nothing in them.
        done(unsafe { libc::msync(start, bytes, flags) })
    }

    /// Tells the system how the pages that hold `range` are used.
    pub(crate) fn advise(&self, range: Range<usize>, advice: Advice) -> Result<()> {
        match advice {
            Advice::Normal => self.raw_advice(range, libc::MADV_NORMAL),
            Advice::Sequential => self.raw_advice(range, libc::MADV_SEQUENTIAL),
            Advice::Random => self.raw_advice(range, libc::MADV_RANDOM),
            Advice::WillNeed => self.raw_advice(range, libc::MADV_WILLNEED),
            // Nothing is thrown away here: the pages are the next to go, and private ones are kept
            // elsewhere.
            Advice::DontNeed | Advice::Cold => self.raw_advice(range, libc::MADV_DONTNEED),
            Advice::DontFork => self.inherit(range, libc::VM_INHERIT_NONE),
            Advice::Fork => {
                let private = self.protection == Protection::CopyOnWrite;
                let as_before =
                    if private { libc::VM_INHERIT_COPY } else { libc::VM_INHERIT_SHARE };
                self.inherit(range, as_before)
            }
            Advice::DontDump | Advice::Dump => {
                let why = "macOS takes no advice for what is in a core dump";
                Err(Error::new(ErrorKind::Unsupported, why))
            }
        }
    }

    /// The system cannot. Whether it writes any is said by who starts a process.
    pub(crate) fn exclude_from_core_dumps(&self) -> Result<()> {
        Ok(())
    }

    /// Makes every page present now, so that no access has to wait for one: they are locked, piece
    /// by piece, and let go.
    pub(crate) fn prefault(&self) -> Result<()> {
        /// What is locked at once: the system limits it.
        const PIECE: usize = 16 << 20;
        let (first, bytes) = self.pages_of(0..self.length);
        for at in (0..bytes).step_by(PIECE) {
            let (piece, bytes) = (first.wrapping_byte_add(at), PIECE.min(bytes - at));
            // SAFETY: the pages are this value's, and locking changes nothing in them.
            match unsafe { rustix::mm::mlock(piece, bytes) } {
                Ok(()) => {}
                // What would be SIGBUS at an access.
                Err(Errno::NOMEM) => {
                    let why = "the file system has no room for a page, or the file was cut";
                    return Err(Error::new(ErrorKind::OutOfSpace, why));
                }
                // Too much is locked already: reading ahead is the best there is.
                Err(Errno::AGAIN | Errno::PERM) => {
                    return self.advise(0..self.length, Advice::WillNeed);
                }
                Err(error) => return Err(Error::from_os(error)),
            }
            // The system counts: who has them locked keeps them so.
            // SAFETY: as above.
            unsafe { rustix::mm::munlock(piece, bytes) }.map_err(Error::from_os)?;
        }
        Ok(())
    }

    /// How many of the mapped bytes are in huge pages now: the system makes none for files.
    pub(crate) fn huge_page_bytes(&self) -> Result<u64> {
        Ok(0)
    }

    /// There are none: see [`Mapping::huge_page_bytes`].
    pub(super) fn ask_for_huge_pages(&self) {}

    fn raw_advice(&self, range: Range<usize>, advice: c_int) -> Result<()> {
        let (start, bytes) = self.pages_of(range);
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the pages are this value's. None of the advices that are given here changes what
        // a page holds.
        done(unsafe { libc::madvise(start, bytes, advice) })
    }

    fn inherit(&self, range: Range<usize>, how: c_int) -> Result<()> {
        let (start, bytes) = self.pages_of(range);
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the pages are this value's, and stay as they are in this process.
        done(unsafe { libc::minherit(start, bytes, how) })
    }
}

/// What a function that answers with 0 or -1 did.
fn done(answer: c_int) -> Result<()> {
    if answer == 0 { Ok(()) } else { Err(Error::from_os(io::Error::last_os_error())) }
}

pub(super) fn map_pages(
    file: &File,
    first_page: u64,
    bytes: usize,
    protection: Protection,
    placement: Placement,
) -> Result<NonNull<u8>> {
    let (allowed, sharing) = flags_of(protection);
    let hint = placement.address.map_or(ptr::null_mut(), ptr::without_provenance_mut);
    // SAFETY: only unused addresses are taken: without `FIXED` an address is a hint.
    let pages = unsafe { rustix::mm::mmap(hint, bytes, allowed, sharing, file, first_page) };
    let pages = pages.map_err(|error| match error {
        Errno::INVAL if protection == Protection::CopyOnWrite => {
            let why = "memory of macOS is for sharing: only files are copied when written";
            Error::from_os(error).of_kind(ErrorKind::Unsupported).because(why)
        }
        _ => not_mapped(error, bytes),
    })?;
    placed(pages, bytes, placement.address)
}
