//! What a directory is good for, and what removes files from it.

#[cfg(not(target_os = "linux"))]
use std::fs::File;
#[cfg(not(target_os = "linux"))]
use std::path::Path;

#[cfg(not(target_os = "linux"))]
use crate::error::Result;
#[cfg(not(target_os = "linux"))]
use crate::sys::opening::Opening;

/// The kind of storage that a directory is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    /// Memory: no file in it outlives this run of the machine.
    Memory,
    /// A disk: a file can come from an earlier run of the machine.
    Disk,
    /// A file system that is not known to work or to fail: the operations show which.
    Untried,
}

/// A part of the system that removes files from a directory, and how to prevent it.
pub(crate) struct Cleaner {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

/// Opens the file at `path` for reading only by `open`. A mapping of it shows what writers write.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open_to_follow(
    path: &Path,
    open: impl Fn(&Path, Opening) -> Result<File>,
) -> Result<File> {
    open(path, Opening::ReadOnly)
}
