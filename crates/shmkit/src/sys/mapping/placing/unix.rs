//! The arguments and errors of `mmap`.

#![allow(unsafe_code, reason = "undoes mappings that no other code has seen")]

use std::ffi::c_void;
use std::ptr::NonNull;

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

use crate::error::{Error, ErrorKind, Result};
use crate::sys::limits::no_room;
use crate::sys::mapping::options::Protection;

/// Returns the arguments of `mmap` for a protection.
pub(super) fn flags_of(protection: Protection) -> (ProtFlags, MapFlags) {
    match protection {
        Protection::ReadOnly => (ProtFlags::READ, MapFlags::SHARED),
        Protection::ReadWrite => (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED),
        Protection::CopyOnWrite => (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE),
    }
}

/// Returns the error for a failed `mmap` of `bytes` bytes.
#[cold]
pub(super) fn not_mapped(error: Errno, bytes: usize) -> Error {
    match error {
        Errno::NODEV => Error::from_os(error).of_kind(ErrorKind::Unsupported),
        Errno::ACCESS | Errno::PERM => Error::from_os(error)
            .of_kind(ErrorKind::PermissionDenied)
            .because("the file was not opened for this access, or a seal forbids it"),
        Errno::NOMEM => {
            Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(no_room(bytes))
        }
        _ => Error::from_os(error),
    }
}

/// Returns the pages that `mmap` mapped, or unmaps them if they are not at the required address.
pub(super) fn placed(
    pages: *mut c_void,
    bytes: usize,
    address: Option<usize>,
) -> Result<NonNull<u8>> {
    let pages = NonNull::new(pages.cast()).expect("the system maps nothing at address 0");
    match address {
        Some(address) if pages.as_ptr() as usize != address => {
            unmap(pages, bytes);
            Err(in_use(address, bytes))
        }
        _ => Ok(pages),
    }
}

/// Returns the error for an address range that is in use.
#[cold]
pub(super) fn in_use(address: usize, bytes: usize) -> Error {
    let why = format!("the {bytes} bytes at {address:#x} are in use: choose another address");
    Error::new(ErrorKind::InvalidArgument, why)
}

/// Unmaps pages that no other code has seen.
pub(super) fn unmap(pages: NonNull<u8>, bytes: usize) {
    // SAFETY: the callers have mapped these pages and not handed them out.
    // If a sandbox refuses the call, the pages stay.
    let _ = unsafe { rustix::mm::munmap(pages.as_ptr().cast(), bytes) };
}
