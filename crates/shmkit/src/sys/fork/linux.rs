//! A page that the kernel wipes in every child (`MADV_WIPEONFORK`).

#![allow(unsafe_code, reason = "madvise for a page of the caller")]

use std::ffi::c_void;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::MemfdFlags;
use rustix::io::DupFlags;
use rustix::mm::Advice;
use rustix::pipe::PipeFlags;

use crate::error::{Error, Result};

/// Creates an empty file that no other process has. A sandbox can forbid memory: then it is a pipe
/// without a writer.
pub(super) fn empty_file() -> rustix::io::Result<OwnedFd> {
    rustix::fs::memfd_create("shmkit: after fork", MemfdFlags::CLOEXEC)
        .or_else(|_| rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map(|(reader, _)| reader))
}

/// Makes a descriptor refer to `file`, with close-on-exec.
pub(super) fn replace(descriptor: &mut OwnedFd, file: BorrowedFd<'_>) -> rustix::io::Result<()> {
    rustix::io::dup3(file, descriptor, DupFlags::CLOEXEC)
}

/// The reason for an error while the page of a stamp is made.
pub(super) const NO_STAMP_PAGE: &str =
    "the system cannot wipe a page at fork: use Linux 4.14 or newer";

/// Whether a handler of `fork` must wipe the page of the stamp.
pub(super) const HANDLERS_WIPE_STAMP: bool = false;

/// Makes the kernel wipe a page in every child.
///
/// # Safety
/// The caller has just mapped the whole page, and it holds nothing yet.
pub(super) unsafe fn mark_stamp_page(page: *mut c_void, length: usize) -> Result<()> {
    // SAFETY: as the caller promises.
    unsafe { rustix::mm::madvise(page, length, Advice::LinuxWipeOnFork) }
        .map_err(|error| Error::from_os(error).because(NO_STAMP_PAGE))
}
