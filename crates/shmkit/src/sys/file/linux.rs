//! `memfd_create` and its seals; `fallocate`.

use std::fs::File;

use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::io::Errno;

use super::SealKind;
use super::unix::{check_limit, write_zeros};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory::{self, Status};

/// A file of committed zeros in memory, without a name, gone with its last descriptor and mapping.
/// `label` is what `/proc` shows.
pub(crate) fn anonymous(label: &str, size: u64) -> Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Not for code: also what a hardened system asks for. Unknown before Linux 6.3.
    let file = match rustix::fs::memfd_create(label, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => rustix::fs::memfd_create(label, flags),
        answer => answer,
    };
    let file = file.map_err(Error::from_os)?.into();
    commit(&file, 0, size)?;
    Ok(file)
}

/// What the file system says of it.
pub(crate) fn status(file: &File) -> Result<Status> {
    directory::status(file)
}

/// Makes the file shorter: `to` bytes long.
pub(crate) fn cut(file: &File, to: u64) -> Result<()> {
    file.set_len(to).map_err(Error::from_os)
}

fn seal_flags(kind: SealKind) -> SealFlags {
    match kind {
        SealKind::Resizing => SealFlags::SHRINK | SealFlags::GROW,
        SealKind::NewWriters => SealFlags::FUTURE_WRITE,
    }
}

/// Rules `kind` out from now on, for all.
pub(crate) fn seal(file: &File, kind: SealKind) -> Result<()> {
    let Err(cause) = rustix::fs::fcntl_add_seals(file, seal_flags(kind)) else { return Ok(()) };
    let takes_none = match rustix::fs::fcntl_get_seals(file) {
        Ok(seals) => seals.contains(SealFlags::SEAL),
        Err(error) => error == Errno::INVAL,
    };
    let error = Error::from_os(cause);
    if takes_none {
        let why = "it takes no seals: anonymous memory does, until it is sealed against them";
        return Err(error.of_kind(ErrorKind::Unsupported).because(why));
    }
    // The kernel does not know this seal.
    Err(if cause == Errno::INVAL { error.of_kind(ErrorKind::Unsupported) } else { error })
}

/// Whether `kind` is ruled out.
pub(crate) fn is_sealed(file: &File, kind: SealKind) -> Result<bool> {
    match rustix::fs::fcntl_get_seals(file) {
        Ok(seals) => Ok(seals.contains(seal_flags(kind))
            || kind == SealKind::NewWriters && seals.contains(SealFlags::WRITE)),
        // What cannot be sealed is not sealed.
        Err(Errno::INVAL) => Ok(false),
        Err(error) => Err(Error::from_os(error)),
    }
}

/// Makes the file `to` bytes long, with space for each byte from `from`.
///
/// In one call, which knows at once what can never fit. A signal that interrupts it undoes what it
/// did, so that signals that keep coming could hold it up for ever: after one it goes in pieces.
pub(crate) fn commit(file: &File, from: u64, to: u64) -> Result<()> {
    const PIECE: u64 = 64 << 20;
    check_limit(to)?;
    let mut start = from;
    let mut most = u64::MAX;
    while start < to {
        let bytes = most.min(to - start);
        match rustix::fs::fallocate(file, FallocateFlags::empty(), start, bytes) {
            Ok(()) => start += bytes,
            Err(Errno::INTR) => most = PIECE,
            Err(Errno::OPNOTSUPP) => return write_zeros(file, start, to),
            // What is beyond all bounds is too large, or no number of the system's.
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::INVAL)) => {
                let why = format!("no space for {to} bytes");
                return Err(Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why));
            }
            Err(error) => return Err(Error::from_os(error)),
        }
    }
    Ok(())
}
