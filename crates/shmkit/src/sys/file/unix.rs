//! What a descriptor allows; opening a path; the size limit for files.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::error::{Error, ErrorKind, Result};

/// Returns whether the descriptor allows writing.
pub(crate) fn is_writable(file: &File) -> Result<bool> {
    let flags = rustix::fs::fcntl_getfl(file).map_err(Error::from_os)?;
    Ok(flags & OFlags::RWMODE == OFlags::RDWR)
}

/// Opens what `path` refers to, through symbolic links. Does not wait for the other end of a FIFO.
pub(crate) fn open_path(path: &Path, writable: bool) -> Result<File> {
    let access = if writable { OFlags::RDWR } else { OFlags::RDONLY };
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, path, access | flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        Err(Errno::ISDIR) => Err(Error::new(ErrorKind::WrongKind, "it is a directory")),
        Err(Errno::NXIO) => Err(Error::new(ErrorKind::WrongKind, "it is a FIFO or a socket")),
        // The error for a socket on macOS.
        Err(Errno::OPNOTSUPP) if cfg!(target_os = "macos") => {
            Err(Error::new(ErrorKind::WrongKind, "it is a socket"))
        }
        Err(error) => Err(Error::from_os(error)),
    }
}

/// Refuses a size for which the system would end the process by SIGXFSZ.
pub(super) fn check_limit(size: u64) -> Result<()> {
    if let Some(limit) = getrlimit(Resource::Fsize).current.filter(|limit| size > *limit) {
        let why = format!("{size} bytes exceed the size limit for files (RLIMIT_FSIZE), {limit}");
        return Err(Error::new(ErrorKind::OutOfSpace, why));
    }
    Ok(())
}

/// Allocates space by writing zeros, for file systems without a call for it.
pub(super) fn write_zeros(file: &File, from: u64, to: u64) -> Result<()> {
    let zeros = [0; 64 << 10];
    let mut start = from;
    while start < to {
        let bytes = (zeros.len() as u64).min(to - start);
        file.write_all_at(&zeros[..bytes as usize], start).map_err(Error::from_os)?;
        start += bytes;
    }
    Ok(())
}
