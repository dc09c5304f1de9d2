//! What the kernel has no mark for is done by the handlers: a stamp's page is wiped by the child.

use core::sync::atomic::{AtomicU64, Ordering};
use std::ffi::c_void;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::FdFlags;

use super::unix::ensure_handlers;
use crate::error::Result;

/// A file that nobody else has, and that holds nothing: a pipe into which nobody writes. The system
/// gives each pipe a number of its own.
pub(super) fn harmless_file() -> io::Result<OwnedFd> {
    let (reader, _) = io::pipe()?;
    Ok(reader.into())
}

/// Lets a descriptor lead to another file. It is closed when another program is executed.
pub(super) fn put_in_place(file: BorrowedFd<'_>, of: &mut OwnedFd) -> rustix::io::Result<()> {
    rustix::io::dup2(file, of)?;
    // There is no other thread yet that could execute one in between.
    rustix::io::fcntl_setfd(of, FdFlags::CLOEXEC)
}

/// Why there may be no page for stamps.
pub(super) const NO_STAMP_PAGE: &str = "no page for the process's stamp";

/// Has a page be zeros in every child.
///
/// # Safety
/// None here.
#[allow(unsafe_code, reason = "the same promise as where the kernel is told")]
pub(super) unsafe fn mark_stamp_page(_page: *mut c_void, _length: usize) -> Result<()> {
    ensure_handlers()
}

/// Makes an inherited page zeros.
pub(super) fn wipe_stamp(page: &AtomicU64) {
    // ORDERING: Relaxed; this is the child's only thread.
    page.store(0, Ordering::Relaxed);
}
