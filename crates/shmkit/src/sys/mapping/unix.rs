//! `mmap`, `munmap`, `mlock`.

#![allow(unsafe_code, reason = "calls of the system on pages that a `Mapping` owns")]

use std::ffi::c_void;
use std::fs::File;
use std::ops::Range;
use std::ptr::NonNull;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::options::{Placement, Protection, check_shrinking};
use super::placing::{ask_for_huge_pages, map_pages};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::pages::page_size;

/// Pages of a file in this process, and the requested bytes in them.
///
/// INVARIANT 1: `pages .. pages + page_bytes` is mapped, belongs to this value alone, and starts
/// and ends on a page.
/// INVARIANT 2: `lead + length <= page_bytes`.
#[derive(Debug)]
pub(crate) struct Mapping {
    pages: NonNull<u8>,
    page_bytes: usize,
    lead: usize,
    pub(super) length: usize,
    pub(super) protection: Protection,
}

// SAFETY: the pages belong to the process, not to a thread, and the methods that change which pages
// are mapped take `&mut self`. The content is reached only through the raw pointer.
unsafe impl Send for Mapping {}
// SAFETY: as above; the methods that take `&self` change nothing in this value.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length` bytes of `file` from byte `offset`, with this placement.
    pub(crate) fn place(
        file: &File,
        offset: u64,
        length: usize,
        protection: Protection,
        placement: Placement,
    ) -> Result<Self> {
        if length == 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "0 bytes cannot be mapped"));
        }
        let lead = (offset % page_size() as u64) as usize;
        let too_long = || {
            let why = format!("{length} bytes at {offset} are more than a process can map");
            Error::new(ErrorKind::OutOfRange, why)
        };
        let page_bytes = lead
            .checked_add(length)
            .and_then(|bytes| bytes.checked_next_multiple_of(page_size()))
            .filter(|&bytes| isize::try_from(bytes).is_ok())
            .ok_or_else(too_long)?;
        let first_page = offset - lead as u64;
        i64::try_from(first_page)
            .ok()
            .and_then(|first| first.checked_add(page_bytes as i64))
            .ok_or_else(too_long)?;

        let address = placement.address.map(|address| first_page_at(address, lead)).transpose()?;
        let place = Placement { address, ..placement };
        let pages = map_pages(file, first_page, page_bytes, protection, place)?;
        // INVARIANT: 1 and 2.
        let mapping = Self { pages, page_bytes, lead, length, protection };
        if placement.huge_pages {
            ask_for_huge_pages(pages, page_bytes);
        }
        Ok(mapping)
    }

    /// Returns the address of the first requested byte.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        // By invariant 2 it is within the pages.
        self.pages.as_ptr().wrapping_add(self.lead)
    }

    /// Returns how many bytes were requested.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Returns the access that the mapping allows.
    pub(crate) fn protection(&self) -> Protection {
        self.protection
    }

    /// Returns the whole pages that contain the mapping.
    pub(super) fn pages(&self) -> (NonNull<u8>, usize) {
        (self.pages, self.page_bytes)
    }

    /// Keeps every page in memory until the mapping ends or is unlocked.
    pub(crate) fn lock(&self) -> Result<()> {
        let (start, bytes) = self.pages_of(0..self.length);
        // SAFETY: the pages belong to this value, and locking does not change their content.
        let answer = unsafe { rustix::mm::mlock(start, bytes) };
        answer.map_err(|error| match error {
            Errno::NOMEM | Errno::PERM | Errno::AGAIN => {
                let limit = getrlimit(Resource::Memlock).current;
                let limit = limit.map_or("no limit".to_owned(), |it| format!("{it} bytes"));
                let why = format!(
                    "cannot lock {bytes} bytes more; the limit (RLIMIT_MEMLOCK) is {limit}"
                );
                Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why)
            }
            _ => Error::from_os(error),
        })
    }

    /// Undoes [`lock`](Self::lock).
    pub(crate) fn unlock(&self) -> Result<()> {
        let (start, bytes) = self.pages_of(0..self.length);
        // SAFETY: the pages belong to this value, and unlocking does not change their content.
        unsafe { rustix::mm::munlock(start, bytes) }.map_err(Error::from_os)
    }

    /// Unmaps the first `bytes` bytes, and every page that holds only those.
    pub(crate) fn shrink_front(&mut self, bytes: usize) -> Result<()> {
        check_shrinking(self.length, bytes)?;
        let lead = self.lead + bytes;
        let whole_pages = lead - lead % page_size();
        if whole_pages > 0 {
            // SAFETY: the pages belong to this value, so no code uses them while `&mut self` is
            // borrowed; the pages that stay mapped are not touched.
            unsafe { rustix::mm::munmap(self.pages.as_ptr().cast(), whole_pages) }
                .map_err(Error::from_os)?;
        }
        // INVARIANT: 1 and 2; `whole_pages <= lead < page_bytes`, since `bytes < length`.
        // SAFETY: as above, so the sum is within the pages.
        self.pages = unsafe { self.pages.add(whole_pages) };
        self.page_bytes -= whole_pages;
        self.lead = lead - whole_pages;
        self.length -= bytes;
        Ok(())
    }

    /// Unmaps the last `bytes` bytes, and every page that holds only those.
    pub(crate) fn shrink_back(&mut self, bytes: usize) -> Result<()> {
        check_shrinking(self.length, bytes)?;
        let kept = (self.lead + self.length - bytes).next_multiple_of(page_size());
        if kept < self.page_bytes {
            let first = self.pages.as_ptr().wrapping_add(kept).cast();
            // SAFETY: the pages belong to this value, so no code uses them while `&mut self` is
            // borrowed; the pages that stay mapped are not touched.
            unsafe { rustix::mm::munmap(first, self.page_bytes - kept) }.map_err(Error::from_os)?;
        }
        // INVARIANT: 1 and 2.
        self.page_bytes = kept;
        self.length -= bytes;
        Ok(())
    }

    /// Returns the whole pages that hold `range`, cut to the mapping. The callers check ranges.
    pub(super) fn pages_of(&self, range: Range<usize>) -> (*mut c_void, usize) {
        let first = self.lead + range.start.min(self.length);
        let end = (self.lead + range.end.min(self.length)).max(first);
        let first = first - first % page_size();
        let start = self.pages.as_ptr().wrapping_add(first);
        (start.cast(), end.next_multiple_of(page_size()) - first)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: by invariant 1 the pages belong to this value, and all borrows of it have ended.
        // If a sandbox refuses the call, the pages stay.
        let _ = unsafe { rustix::mm::munmap(self.pages.as_ptr().cast(), self.page_bytes) };
    }
}

/// Returns the address of the first page if the byte after `lead` must be at `address`.
fn first_page_at(address: usize, lead: usize) -> Result<usize> {
    if address % page_size() != lead || address < page_size() {
        let page = page_size();
        let why = format!(
            "address {address:#x} must be {lead} bytes after a multiple of {page}, and at least \
             {page}"
        );
        return Err(Error::new(ErrorKind::InvalidArgument, why));
    }
    Ok(address - lead)
}
