//! A page that the kernel wipes in any child (`MADV_WIPEONFORK`).

#![allow(unsafe_code, reason = "a page that the kernel wipes")]

use core::sync::atomic::AtomicU64;
use std::ffi::c_void;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::MemfdFlags;
use rustix::io::DupFlags;
use rustix::mm::Advice;

use crate::error::{Error, Result};

/// A file that nobody else has, and that holds nothing.
pub(super) fn harmless_file() -> rustix::io::Result<OwnedFd> {
    rustix::fs::memfd_create("shmkit: after fork", MemfdFlags::CLOEXEC)
}

/// Lets a descriptor lead to another file. It is closed when another program is executed.
pub(super) fn put_in_place(file: BorrowedFd<'_>, of: &mut OwnedFd) -> rustix::io::Result<()> {
    rustix::io::dup3(file, of, DupFlags::CLOEXEC)
}

/// Why there may be no page for stamps.
pub(super) const NO_STAMP_PAGE: &str = "no page that the system wipes at fork (Linux 4.14)";

/// Has a page be zeros in every child.
///
/// # Safety
/// The whole page was just mapped by the caller, and holds nothing yet.
pub(super) unsafe fn mark_stamp_page(page: *mut c_void, length: usize) -> Result<()> {
    // SAFETY: by the caller's promise.
    unsafe { rustix::mm::madvise(page, length, Advice::LinuxWipeOnFork) }
        .map_err(|error| Error::from_os(error).because(NO_STAMP_PAGE))
}

/// The kernel did.
pub(super) fn wipe_stamp(_page: &AtomicU64) {}
