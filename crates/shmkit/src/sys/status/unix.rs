//! `fstat`.

use std::fs::File;
use std::os::fd::AsFd;

use rustix::fs::{FileType as RawType, Stat};

use super::{FileType, Identity, Status, system};
use crate::error::{Error, Result};

impl From<Stat> for Status {
    fn from(stat: Stat) -> Self {
        let file_type = match RawType::from_raw_mode(stat.st_mode) {
            RawType::RegularFile => FileType::Regular,
            RawType::Directory => FileType::Directory,
            RawType::Symlink => FileType::SymbolicLink,
            RawType::Fifo => FileType::Fifo,
            _ => FileType::Other,
        };
        Self {
            identity: system::identity_of(&stat),
            links: system::links_of(&stat),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            committed: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512),
            owner: stat.st_uid,
            mode: Some(system::mode_of(&stat) & 0o7777),
            file_type,
        }
    }
}

/// Returns which file a descriptor refers to.
pub(crate) fn identity(file: impl AsFd) -> rustix::io::Result<Identity> {
    Ok(system::identity_of(&rustix::fs::fstat(file)?))
}

/// Returns which file a path leads to, through symbolic links.
#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) fn identity_at(path: &std::path::Path) -> rustix::io::Result<Identity> {
    Ok(system::identity_of(&rustix::fs::stat(path)?))
}

/// Returns what the file system reports about an open file.
pub(crate) fn status(file: &File) -> Result<Status> {
    Ok(rustix::fs::fstat(file).map_err(Error::from_os)?.into())
}
