//! What a directory is good for, what is wrong with it, and where it is.

#[cfg(not(target_os = "linux"))]
use std::fs::File;
#[cfg(not(target_os = "linux"))]
use std::path::Path;
use std::path::PathBuf;

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

/// What is wrong with a directory, or with the system around it, and what to do.
pub(crate) struct Flaw {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

/// Returns none: this system shows no numbers of file systems.
#[cfg(not(target_os = "linux"))]
pub(crate) fn mount(_directory: &Path) -> Option<Mount> {
    None
}

/// Returns None: this system does not show which processes map a file.
#[cfg(not(target_os = "linux"))]
pub(crate) fn users_of_file(_path: &Path) -> Option<Vec<(u32, String)>> {
    None
}

/// Opens the file at `path` for reading only by `open`. A mapping of it shows what writers write.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open_to_follow(
    path: &Path,
    open: impl Fn(&Path, Opening) -> Result<File>,
) -> Result<File> {
    open(path, Opening::ReadOnly)
}

/// The file system that a directory is in.
///
/// Two processes share the objects of a directory only if this is the same for both. Containers can
/// have a file system each under the same path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mount {
    /// What it is: `tmpfs`.
    pub file_system: String,
    /// The number of the device, as in `0:26`: no other file system of the machine has it.
    pub device: String,
    /// Where it is mounted.
    pub point: PathBuf,
}
