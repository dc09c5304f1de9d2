//! `mmap`, `munmap`, `mlock`.

#![allow(unsafe_code, reason = "mapping is unsafe to the system; a `Mapping` owns its pages")]

use std::ffi::c_void;
use std::fs::File;
use std::ops::Range;
use std::ptr::NonNull;

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use rustix::process::{Resource, getrlimit};

use super::{Placement, Protection, system};
use crate::error::{Error, ErrorKind, Result};

/// The unit of mapping, a power of two.
pub(crate) fn page_size() -> usize {
    rustix::param::page_size()
}

/// Pages of a file in this process, and the bytes of them that were asked for.
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
// there are take `&mut self`. What is in the pages is reached only through the raw pointer.
unsafe impl Send for Mapping {}
// SAFETY: as above; the methods that take `&self` change nothing in this value.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length` bytes of `file` from byte `offset`, where and how `placement` says.
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
            let why = format!("{length} bytes at {offset} are more than can be mapped");
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
        let pages = system::map_pages(file, first_page, page_bytes, protection, place)?;
        let mapping = Self { pages, page_bytes, lead, length, protection };
        if placement.huge_pages {
            mapping.ask_for_huge_pages();
        }
        Ok(mapping)
    }

    /// The first byte that was asked for.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        // By invariant 2 it lies within the pages.
        self.pages.as_ptr().wrapping_add(self.lead)
    }

    /// How many bytes were asked for.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// What may be done through it.
    pub(crate) fn protection(&self) -> Protection {
        self.protection
    }

    /// The whole pages of which it is a part.
    pub(super) fn pages(&self) -> (NonNull<u8>, usize) {
        (self.pages, self.page_bytes)
    }

    /// Keeps every page in memory until the mapping goes, or `unlock`.
    pub(crate) fn lock(&self) -> Result<()> {
        let (start, bytes) = self.pages_of(0..self.length);
        // SAFETY: the pages are this value's, and locking changes nothing in them.
        let answer = unsafe { rustix::mm::mlock(start, bytes) };
        answer.map_err(|error| match error {
            Errno::NOMEM | Errno::PERM | Errno::AGAIN => {
                let limit = getrlimit(Resource::Memlock).current;
                let limit = limit.map_or("no limit".to_owned(), |it| format!("{it} bytes"));
                let why = format!("{bytes} more bytes; the limit (RLIMIT_MEMLOCK) is {limit}");
                Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why)
            }
            _ => Error::from_os(error),
        })
    }

    /// Takes `lock` back.
    pub(crate) fn unlock(&self) -> Result<()> {
        let (start, bytes) = self.pages_of(0..self.length);
        // SAFETY: the pages are this value's, and unlocking changes nothing in them.
        unsafe { rustix::mm::munlock(start, bytes) }.map_err(Error::from_os)
    }

    /// Gives up the first `bytes`, and every page that held only those.
    pub(crate) fn shrink_front(&mut self, bytes: usize) -> Result<()> {
        self.check_shrinking(bytes)?;
        let lead = self.lead + bytes;
        let whole_pages = lead - lead % page_size();
        if whole_pages > 0 {
            // SAFETY: the pages belong to this value, and nobody may use them longer than it lives
            // or after `&mut self` was taken; those that stay are not touched.
            unsafe { rustix::mm::munmap(self.pages.as_ptr().cast(), whole_pages) }
                .map_err(Error::from_os)?;
        }
        // INVARIANT: 1 and 2; `whole_pages <= lead < page_bytes`, since `bytes < length`.
        // SAFETY: as above, the sum lies within the pages.
        self.pages = unsafe { self.pages.add(whole_pages) };
        self.page_bytes -= whole_pages;
        self.lead = lead - whole_pages;
        self.length -= bytes;
        Ok(())
    }

    /// Gives up the last `bytes`, and every page that held only those.
    pub(crate) fn shrink_back(&mut self, bytes: usize) -> Result<()> {
        self.check_shrinking(bytes)?;
        let kept = (self.lead + self.length - bytes).next_multiple_of(page_size());
        if kept < self.page_bytes {
            let first = self.pages.as_ptr().wrapping_add(kept).cast();
            // SAFETY: the pages belong to this value, and nobody may use them longer than it lives
            // or after `&mut self` was taken; those that stay are not touched.
            unsafe { rustix::mm::munmap(first, self.page_bytes - kept) }.map_err(Error::from_os)?;
        }
        // INVARIANT: 1 and 2.
        self.page_bytes = kept;
        self.length -= bytes;
        Ok(())
    }

    /// The whole pages that hold `range`. Ranges are checked by the callers; one that is not right
    /// is cut to the mapping.
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
        // SAFETY: by invariant 1 the pages are this value's, and whoever borrowed from it is gone.
        let unmapped = unsafe { rustix::mm::munmap(self.pages.as_ptr().cast(), self.page_bytes) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

/// The address of the first page if the byte after `lead` is to be at `address`.
fn first_page_at(address: usize, lead: usize) -> Result<usize> {
    if address % page_size() != lead || address < page_size() {
        let page = page_size();
        let why = format!("address {address:#x} is not {lead} bytes into a page of {page}");
        return Err(Error::new(ErrorKind::InvalidArgument, why));
    }
    Ok(address - lead)
}

/// What the system is asked for.
pub(super) fn flags_of(protection: Protection) -> (ProtFlags, MapFlags) {
    match protection {
        Protection::ReadOnly => (ProtFlags::READ, MapFlags::SHARED),
        Protection::ReadWrite => (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED),
        Protection::CopyOnWrite => (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE),
    }
}

/// Why `mmap` did not map so many bytes.
#[cold]
pub(super) fn not_mapped(error: Errno, bytes: usize) -> Error {
    match error {
        Errno::NODEV => Error::from_os(error).of_kind(ErrorKind::Unsupported),
        Errno::ACCESS | Errno::PERM => Error::from_os(error)
            .of_kind(ErrorKind::PermissionDenied)
            .because("the file was not opened for this use, or is sealed against it"),
        Errno::NOMEM => {
            let why = format!("the process has no room for {bytes} bytes more");
            Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why)
        }
        _ => Error::from_os(error),
    }
}

/// The pages that `mmap` mapped, unless they are elsewhere than where they must be.
pub(super) fn placed(
    pages: *mut c_void,
    bytes: usize,
    address: Option<usize>,
) -> Result<NonNull<u8>> {
    let pages = NonNull::new(pages.cast()).expect("the system never maps address 0 unasked");
    match address {
        Some(address) if pages.as_ptr() as usize != address => {
            unmap(pages, bytes);
            Err(in_use(address, bytes))
        }
        _ => Ok(pages),
    }
}

#[cold]
pub(super) fn in_use(address: usize, bytes: usize) -> Error {
    let why = format!("something is mapped in the {bytes} bytes at {address:#x} already");
    Error::new(ErrorKind::InvalidArgument, why)
}

/// Undoes a mapping that nobody has seen.
pub(super) fn unmap(pages: NonNull<u8>, bytes: usize) {
    // SAFETY: the callers mapped these pages, and have not handed them out.
    let unmapped = unsafe { rustix::mm::munmap(pages.as_ptr().cast(), bytes) };
    debug_assert!(unmapped.is_ok(), "{unmapped:?}");
}
