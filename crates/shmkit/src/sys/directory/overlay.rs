//! Files of overlayfs that are open for reading only.
//!
//! A file of a lower layer is copied to the upper layer when it is first opened for writing. A
//! mapping that was made before shows the pages of the lower file for ever. System calls on the
//! same descriptor, and the file's identity, do not reveal it.

use std::fs::File;
use std::path::Path;

use rustix::fs::{major, minor};

use crate::error::{Error, ErrorKind, Result};
use crate::sys::opening::Opening;

const OVERLAYFS: u64 = 0x794c_7630;

/// Opens the file at `path` for reading only by `open`, so that a mapping of it shows what writers
/// write.
pub(crate) fn open_to_follow(
    path: &Path,
    open: impl Fn(&Path, Opening) -> Result<File>,
) -> Result<File> {
    let file = open(path, Opening::ReadOnly)?;
    let status = rustix::fs::fstatfs(&file).map_err(Error::from_os)?;
    if status.f_type as u64 & 0xffff_ffff != OVERLAYFS {
        return Ok(file);
    }
    match open(path, Opening::ReadWrite) {
        // The file is in the upper layer now, and stays there.
        Ok(_) => open(path, Opening::ReadOnly),
        Err(error) if error.kind() != ErrorKind::PermissionDenied => Err(error),
        Err(_) if has_no_writers(path) => Ok(file),
        Err(_) => {
            let why = "it is on overlayfs, and this process may not write to it: a reader there \
                       never sees what is written after the file is first opened for writing; put \
                       it on a volume or into memory, or allow this user to write";
            Err(Error::new(ErrorKind::Unsupported, why))
        }
    }
}

/// Whether the overlay has no upper layer, or is read-only for another reason, in all its mounts.
fn has_no_writers(path: &Path) -> bool {
    // A file can have another device number than its file system.
    let Ok(path) = path.canonicalize() else { return false };
    let directory = rustix::fs::stat(path.parent().unwrap_or(&path));
    // A thread can have mounts of its own.
    let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo");
    let (Ok(directory), Ok(mounts)) = (directory, mounts) else { return false };
    let device = format!("{}:{}", major(directory.st_dev), minor(directory.st_dev));
    // <https://docs.kernel.org/filesystems/proc.html#proc-pid-mountinfo>: the device is the third
    // field, and the options of the file system are the last.
    let mut mounts = mounts.lines().filter(|line| line.split(' ').nth(2) == Some(&*device));
    let options = mounts.next().and_then(|line| line.rsplit(' ').next());
    options.is_some_and(|options| options.split(',').any(|option| option == "ro"))
}
