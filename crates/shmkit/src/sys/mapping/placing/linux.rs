//! Placing on Linux: at an address, or aligned for huge pages.

#![allow(unsafe_code, reason = "takes address space for a mapping")]

use std::fs::File;
use std::ptr::{self, NonNull};

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};

use super::unix::{flags_of, in_use, not_mapped, placed, unmap};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::mapping::options::{Placement, Protection};

/// The size of a huge page that the system forms by itself.
const HUGE_PAGE: usize = 2 << 20;

/// Asks the system for huge pages in a mapping. `huge_page_bytes` tells whether it formed any.
pub(in crate::sys::mapping) fn ask_for_huge_pages(pages: NonNull<u8>, bytes: usize) {
    /// `MADV_COLLAPSE`, since Linux 6.1: at once, even if the system's setting is "never".
    const COLLAPSE: i32 = 25;
    let start = pages.as_ptr().cast();
    // SAFETY: the caller has just mapped the pages. This changes where they are, not their content.
    let _ = unsafe { rustix::mm::madvise(start, bytes, Advice::LinuxHugepage) };
    // SAFETY: as above.
    let _ = unsafe { libc::madvise(start, bytes, COLLAPSE) };
}

/// The required place of the pages.
#[derive(Clone, Copy)]
enum Place {
    Anywhere,
    At(usize),
    /// At an address that is congruent to the offset in the file, modulo the size of a huge page.
    Congruent,
}

/// Maps whole pages of a file.
pub(in crate::sys::mapping) fn map_pages(
    file: &File,
    first_page: u64,
    bytes: usize,
    protection: Protection,
    placement: Placement,
) -> Result<NonNull<u8>> {
    let place = match (placement.address, placement.huge_pages) {
        (Some(address), _) => Place::At(address),
        (None, true) => Place::Congruent,
        (None, false) => Place::Anywhere,
    };
    let (allowed, sharing) = flags_of(protection);
    let (hint, fixed, reserved) = match place {
        Place::Anywhere => (ptr::null_mut(), MapFlags::empty(), None),
        Place::At(address) => {
            (ptr::without_provenance_mut(address), MapFlags::FIXED_NOREPLACE, None)
        }
        Place::Congruent => {
            let reserved = reserve(first_page, bytes)?;
            (reserved.as_ptr().cast(), MapFlags::FIXED, Some(reserved))
        }
    };
    // SAFETY: `FIXED` replaces only the pages that are reserved for this mapping. In the other
    // cases the system takes only unused addresses: `FIXED_NOREPLACE` refuses used ones, and for an
    // old kernel the address is only a hint.
    let answer =
        unsafe { rustix::mm::mmap(hint, bytes, allowed, sharing | fixed, file, first_page) };
    if let (Err(_), Some(reserved)) = (&answer, reserved) {
        unmap(reserved, bytes);
    }
    let pages = answer.map_err(|error| match error {
        Errno::EXIST => in_use(hint as usize, bytes),
        Errno::NOMEM if placement.address.is_some() && is_beyond(hint as usize, bytes) => {
            beyond(hint as usize, bytes)
        }
        _ => not_mapped(error, bytes),
    })?;
    placed(pages, bytes, placement.address)
}

/// Returns the error for addresses that no process can have.
#[cold]
fn beyond(address: usize, bytes: usize) -> Error {
    let why = format!(
        "the {bytes} bytes at {address:#x} are beyond the addresses of a process: choose another \
         address"
    );
    Error::new(ErrorKind::InvalidArgument, why)
}

/// Whether nothing at all can be at the address, although the process has room elsewhere.
fn is_beyond(address: usize, bytes: usize) -> bool {
    let map = |address, fixed| {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | fixed;
        // SAFETY: `FIXED_NOREPLACE` takes only unused addresses; otherwise the system chooses them.
        let pages =
            unsafe { rustix::mm::mmap_anonymous(address, bytes, ProtFlags::empty(), flags) };
        pages.map(|pages| NonNull::new(pages.cast()).map(|pages| unmap(pages, bytes)))
    };
    let there = map(ptr::without_provenance_mut(address), MapFlags::FIXED_NOREPLACE);
    there == Err(Errno::NOMEM) && map(ptr::null_mut(), MapFlags::empty()).is_ok()
}

/// Reserves address space, without memory, whose start is congruent to `offset` modulo a huge page.
fn reserve(offset: u64, bytes: usize) -> Result<NonNull<u8>> {
    let with_slack = bytes.saturating_add(HUGE_PAGE);
    let (none, private) = (ProtFlags::empty(), MapFlags::PRIVATE | MapFlags::NORESERVE);
    // SAFETY: the system chooses an unused address.
    let start = unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), with_slack, none, private) };
    let start = start.map_err(|error| not_mapped(error, with_slack))?;
    let start: NonNull<u8> =
        NonNull::new(start.cast()).expect("the system maps nothing at address 0");
    let wanted = (offset % HUGE_PAGE as u64) as usize;
    let before = wanted.wrapping_sub(start.as_ptr() as usize) % HUGE_PAGE;
    // SAFETY: `before < HUGE_PAGE`, the slack.
    let first = unsafe { start.add(before) };
    if before > 0 {
        unmap(start, before);
    }
    // SAFETY: `before + bytes` is at most the reserved size.
    let behind = unsafe { first.add(bytes) };
    if before < HUGE_PAGE {
        unmap(behind, HUGE_PAGE - before);
    }
    Ok(first)
}
