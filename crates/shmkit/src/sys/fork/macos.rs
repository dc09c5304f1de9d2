//! The kernel cannot wipe pages at `fork`, so a handler in the child wipes the page of the stamp.

use std::ffi::c_void;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::FdFlags;

use crate::error::Result;

/// Creates an empty file that no other process has: a pipe without a writer. The system gives each
/// pipe an identity of its own.
pub(super) fn empty_file() -> io::Result<OwnedFd> {
    let (reader, _) = io::pipe()?;
    Ok(reader.into())
}

/// Makes a descriptor refer to `file`, with close-on-exec.
pub(super) fn replace(descriptor: &mut OwnedFd, file: BorrowedFd<'_>) -> rustix::io::Result<()> {
    rustix::io::dup2(file, descriptor)?;
    // The child has no other thread that could execute a program in between.
    rustix::io::fcntl_setfd(descriptor, FdFlags::CLOEXEC)
}

/// The reason for an error while the page of a stamp is made.
pub(super) const NO_STAMP_PAGE: &str = "no page for the process's stamp";

/// Whether a handler of `fork` must wipe the page of the stamp.
pub(super) const HANDLERS_WIPE_STAMP: bool = true;

/// Does nothing: see [`HANDLERS_WIPE_STAMP`].
///
/// # Safety
/// None here.
#[allow(unsafe_code, reason = "unsafe on Linux")]
pub(super) unsafe fn mark_stamp_page(_page: *mut c_void, _length: usize) -> Result<()> {
    Ok(())
}
