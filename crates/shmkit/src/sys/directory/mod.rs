//! Files under names in one directory: made whole before they are named, opened warily, removed.

use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::process;
use crate::error::{Error, ErrorKind, Result};

#[cfg(target_os = "linux")]
mod cleaners;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use cleaners::cleaners;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "linux")]
pub(crate) use linux::{default_path, must_escape, name_unnamed, new_unnamed, support};
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as system;
#[cfg(target_os = "macos")]
pub(crate) use macos::{cleaners, default_path, must_escape, name_unnamed, new_unnamed, support};
#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix::finish_unlink;
#[cfg(unix)]
pub(crate) use unix::{
    identity, is_reserved, is_unlinked, may_unlink, new_temporary, open, read_at, rename_temporary,
    reserve, spare_the_disk, status, status_of_name, unlink, write_all_at,
};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows::finish_unlink;
#[cfg(windows)]
pub(crate) use windows::{
    cleaners, default_path, is_reserved, is_unlinked, may_unlink, must_escape, name_unnamed,
    new_temporary, new_unnamed, open, read_at, rename_temporary, reserve, spare_the_disk, status,
    status_of_name, support, unlink, write_all_at,
};

mod whole;
pub(crate) use whole::create_whole;

/// A habit of the system that takes objects away, and what to do about it.
pub(crate) struct Cleaner {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

/// What a file's name ends in before it has its own, or when that was taken away.
const TEMPORARY_SUFFIX: &str = ".shmkit-new";

/// A name that no other file has.
pub(crate) fn temporary_path(directory: &Path) -> Result<PathBuf> {
    Ok(temporary_path_of(directory, u64::from_le_bytes(process::random()?)))
}

fn temporary_path_of(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!(".{number:016x}{TEMPORARY_SUFFIX}"))
}

/// Whether a file has a name such as our temporary ones: others' files are not ours to sweep.
pub(crate) fn is_temporary(file_name: &str) -> bool {
    let number = file_name.strip_prefix('.').and_then(|rest| rest.strip_suffix(TEMPORARY_SUFFIX));
    number.is_some_and(|number| {
        number.len() == 16 && number.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// An open file that may be removed meanwhile. Where such a file cannot go before its last user,
/// that one sees to it.
pub(crate) struct Removable {
    file: File,
    path: PathBuf,
    pub(crate) removed: bool,
}

impl Removable {
    /// What was opened at `path`.
    pub(crate) fn new(file: File, path: &Path) -> Self {
        Self { file, path: path.into(), removed: false }
    }
}

impl Deref for Removable {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Drop for Removable {
    fn drop(&mut self) {
        if self.removed {
            finish_unlink(&self.file, &self.path);
        }
    }
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// For reading alone.
    ReadOnly,
    /// For reading and writing.
    ReadWrite,
}

/// What the file system says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) identity: Identity,
    pub(crate) links: u64,
    pub(crate) size: u64,
    /// Bytes for which the file system has set space aside.
    pub(crate) committed: u64,
    pub(crate) owner: u32,
    /// The permission bits, where there are such.
    pub(crate) mode: Option<u32>,
    pub(crate) file_type: FileType,
}

/// Which file it is, whatever its names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) file: u64,
}

/// What kind of file a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileType {
    Regular,
    Directory,
    SymbolicLink,
    Fifo,
    Other,
}

impl FileType {
    /// Refuses what is no plain file.
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

/// Where objects can live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    /// In memory: nothing in it outlives the machine's run.
    Memory,
    /// On a disk: a file may be of an earlier run of the machine.
    Disk,
    /// On a file system that nobody has looked at: to be tried.
    Untried,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_are_not_taken_for_our_temporary_ones() {
        let path = temporary_path(Path::new("nowhere")).unwrap();
        assert!(is_temporary(path.file_name().unwrap().to_str().unwrap()));
        for foreign in
            ["mine.shmkit-new", ".shmkit-new", ".0123.shmkit-new", ".0123456789abcdeF.shmkit-new"]
        {
            assert!(!is_temporary(foreign), "{foreign}");
        }
    }
}
