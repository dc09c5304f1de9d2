//! What the system reports about an open file.

use crate::error::{Error, ErrorKind, Result};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as system;
#[cfg(unix)]
mod unix;
#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use unix::identity_at;
#[cfg(unix)]
pub(crate) use unix::{identity, status};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{has_name, identity, status};

/// What the system reports about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) identity: Identity,
    /// How many names the file has.
    pub(crate) links: u64,
    pub(crate) size: u64,
    /// Bytes that the file system has allocated for the file.
    pub(crate) committed: u64,
    /// The number of the user who owns the file.
    pub(crate) owner: u32,
    /// The permission bits, on systems that have them.
    pub(crate) mode: Option<u32>,
    pub(crate) file_type: FileType,
}

impl Status {
    /// Returns whether the file has more than one name: hard links.
    pub(crate) fn has_other_names(&self) -> bool {
        self.links > 1 && self.file_type == FileType::Regular
    }
}

/// Which file it is, whatever its names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) file: u64,
}

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileType {
    Regular,
    Directory,
    SymbolicLink,
    Fifo,
    Other,
}

impl FileType {
    /// Refuses everything but a regular file.
    pub(crate) fn check_regular(self) -> Result<()> {
        let what = match self {
            Self::Regular => return Ok(()),
            Self::Directory => "a directory",
            Self::SymbolicLink => "a symbolic link",
            Self::Fifo => "a FIFO",
            Self::Other => "a device or a socket",
        };
        Err(Error::new(ErrorKind::WrongKind, format!("it is {what}")))
    }
}
