//! `memfd_create` and its seals; `fallocate`.

use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;

use super::SealKind;
use super::space_left::check_space_left;
use super::unix::{check_limit, write_zeros};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::limits::{no_space, not_opened};
use crate::sys::status::Status;
pub(crate) use crate::sys::status::status;

/// Creates a file of committed zeros in memory. It has no name, and disappears with its last
/// descriptor and mapping. `/proc` shows `label`.
pub(crate) fn anonymous(label: &str, size: u64) -> Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Not executable, as hardened systems demand. Kernels before Linux 6.3 do not know the flag.
    let file = match rustix::fs::memfd_create(label, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => rustix::fs::memfd_create(label, flags),
        answer => answer,
    };
    // A sandbox can forbid the call. A file without a name is the same, but takes no seals.
    let file = file.or_else(|refused| unnamed_in_memory().map_err(|_| refused));
    let file = file.map_err(not_opened)?.into();
    commit(&file, 0, size)?;
    Ok(file)
}

/// Creates an empty file without a name in the directory of `shm_open`.
fn unnamed_in_memory() -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    rustix::fs::open("/dev/shm", flags, Mode::RUSR | Mode::WUSR)
}

/// Shrinks the file to `to` bytes.
pub(crate) fn shrink(file: &File, to: u64) -> Result<()> {
    file.set_len(to).map_err(Error::from_os)
}

fn seal_flags(kind: SealKind) -> SealFlags {
    match kind {
        SealKind::Resizing => SealFlags::SHRINK | SealFlags::GROW,
        SealKind::NewWriters => SealFlags::FUTURE_WRITE,
    }
}

/// Sets a seal.
pub(crate) fn seal(file: &File, kind: SealKind) -> Result<()> {
    let Err(cause) = rustix::fs::fcntl_add_seals(file, seal_flags(kind)) else { return Ok(()) };
    let takes_no_seals = match rustix::fs::fcntl_get_seals(file) {
        Ok(seals) => seals.contains(SealFlags::SEAL),
        Err(error) => error == Errno::INVAL,
    };
    let error = Error::from_os(cause);
    if takes_no_seals {
        let why =
            "this file cannot be sealed: only anonymous memory can, until that forbids more seals";
        return Err(error.of_kind(ErrorKind::Unsupported).because(why));
    }
    // EINVAL: the kernel does not know this seal.
    Err(if cause == Errno::INVAL { error.of_kind(ErrorKind::Unsupported) } else { error })
}

/// Returns whether a seal forbids `kind`.
pub(crate) fn is_sealed(file: &File, kind: SealKind) -> Result<bool> {
    match rustix::fs::fcntl_get_seals(file) {
        Ok(seals) => Ok(seals.contains(seal_flags(kind))
            || kind == SealKind::NewWriters && seals.contains(SealFlags::WRITE)),
        // EINVAL: the file takes no seals.
        Err(Errno::INVAL) => Ok(false),
        Err(error) => Err(Error::from_os(error)),
    }
}

/// Extends the file to `to` bytes, and allocates space for each byte from `from` on.
pub(crate) fn commit(file: &File, from: u64, to: u64) -> Result<()> {
    check_limit(to)?;
    check_space_left(file, to - from)?;
    match allocate(file, from, to)? {
        Some(start) => write_zeros(file, start, to),
        None => Ok(()),
    }
}

/// Extends the file to `to` bytes, and allocates no space.
pub(crate) fn extend(file: &File, to: u64) -> Result<()> {
    check_limit(to)?;
    rustix::fs::ftruncate(file, to).map_err(|error| not_allocated(error, file, 0, to))
}

/// Allocates space for bytes that the file has. They keep their values.
pub(crate) fn fill_holes(file: &File, from: u64, to: u64) -> Result<()> {
    let Status { size, committed, .. } = status(file)?;
    if committed >= size {
        return Ok(());
    }
    check_space_left(file, (to - from).min(size - committed))?;
    // Without such a call in the file system, holes stay.
    allocate(file, from, to).map(drop)
}

/// Allocates space. Returns where it stopped if the file system has no call for it.
///
/// One call allocates everything, so that the system refuses a size that can never fit at once. A
/// signal undoes the work of the call that it interrupts. After the first signal the allocation
/// goes on in pieces, so that repeated signals cannot delay it forever.
fn allocate(file: &File, from: u64, to: u64) -> Result<Option<u64>> {
    const PIECE: u64 = 64 << 20;
    let mut start = from;
    let mut max_bytes = u64::MAX;
    while start < to {
        let bytes = max_bytes.min(to - start);
        match rustix::fs::fallocate(file, FallocateFlags::empty(), start, bytes) {
            Ok(()) => start += bytes,
            Err(Errno::INTR) => max_bytes = PIECE,
            Err(Errno::OPNOTSUPP) => return Ok(Some(start)),
            Err(error) => return Err(not_allocated(error, file, from, to)),
        }
    }
    Ok(None)
}

#[cold]
fn not_allocated(error: Errno, file: &File, from: u64, to: u64) -> Error {
    match error {
        // A size beyond the limits gives EFBIG, one that no `off_t` can hold EINVAL.
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::INVAL => {
            let what = match from {
                0 => format!("{to} bytes"),
                _ => format!("bytes {from} to {to}"),
            };
            no_space(error, &what, rustix::fs::fstatvfs(file))
        }
        _ => Error::from_os(error),
    }
}
