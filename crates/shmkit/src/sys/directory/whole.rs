//! Files that other processes see complete or not at all.

use std::fs::File;
use std::path::Path;

use super::{name_unnamed, new_temporary, new_unnamed, open, status_of_name, unlink};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file::commit;
use crate::sys::opening::Opening;
use crate::sys::status::status;

/// Creates a file of `size` bytes, all committed, with these permission bits.
///
/// The file gets its name last, so other processes see the complete file or none. If several
/// processes race for the name, one wins. On a file system without unnamed files the file is
/// created under its name, and other processes can open it before it has its size.
pub(crate) fn create_whole(path: &Path, size: u64, mode: u32) -> Result<File> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Some(file) = new_unnamed(parent.unwrap_or(Path::new(".")), mode)? else {
        return create_named(path, size, mode);
    };
    // An early check that saves the work. The one that counts is in `name_unnamed`.
    if status_of_name(path).is_ok() {
        return Err(Error::new(ErrorKind::AlreadyExists, "the name is taken"));
    }
    commit(&file, 0, size)?;
    // CRASH: without its name the file goes with its process; with its name it is complete.
    name_unnamed(&file, path)?;
    Ok(reopened(&file, path).unwrap_or(file))
}

/// Opens the same file by its name, so that tools list it under the name. Returns `None` if the
/// name is gone already.
fn reopened(file: &File, path: &Path) -> Option<File> {
    let named = open(path, Opening::ReadWrite).ok()?;
    let identity = |of: &File| Some(status(of).ok()?.identity);
    (identity(&named)? == identity(file)?).then_some(named)
}

#[cold]
fn create_named(path: &Path, size: u64, mode: u32) -> Result<File> {
    let file = new_temporary(path, mode)?;
    // CRASH: a process that dies before the size is set leaves a shorter file. Regions beyond its
    // end are refused as out of range.
    match commit(&file, 0, size) {
        Ok(()) => Ok(file),
        Err(error) => {
            let _ = unlink(path);
            Err(error)
        }
    }
}
