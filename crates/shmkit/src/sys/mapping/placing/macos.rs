//! Placing on macOS: at an address.

#![allow(unsafe_code, reason = "takes address space for a mapping")]

use std::fs::File;
use std::ptr::{self, NonNull};

use rustix::io::Errno;

use super::unix::{flags_of, not_mapped, placed};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::mapping::options::{Placement, Protection};

/// Does nothing: the system forms no huge pages for files.
pub(in crate::sys::mapping) fn ask_for_huge_pages(_pages: NonNull<u8>, _bytes: usize) {}

/// Maps whole pages of a file.
pub(in crate::sys::mapping) fn map_pages(
    file: &File,
    first_page: u64,
    bytes: usize,
    protection: Protection,
    placement: Placement,
) -> Result<NonNull<u8>> {
    let (allowed, sharing) = flags_of(protection);
    let hint = placement.address.map_or(ptr::null_mut(), ptr::without_provenance_mut);
    // SAFETY: the system takes only unused addresses: without `FIXED` an address is a hint.
    let pages = unsafe { rustix::mm::mmap(hint, bytes, allowed, sharing, file, first_page) };
    let pages = pages.map_err(|error| match error {
        Errno::INVAL if protection == Protection::CopyOnWrite => {
            let why = "macOS cannot map memory copy-on-write: use a file";
            Error::from_os(error).of_kind(ErrorKind::Unsupported).because(why)
        }
        _ => not_mapped(error, bytes),
    })?;
    placed(pages, bytes, placement.address)
}
