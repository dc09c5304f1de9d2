//! Files that others see whole or not at all.

use std::fs::File;
use std::path::Path;

use super::{
    Opening, name_unnamed, new_temporary, new_unnamed, open, status, status_of_name, unlink,
};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file::commit;

/// Makes a file of `size` bytes, all committed, with these permission bits, and only then gives it
/// its name: others see all of it or nothing, and of those who race one wins.
///
/// Where the file system has no unnamed files it is made under its name, and others can meet it
/// before it has its size.
pub(crate) fn create_whole(path: &Path, size: u64, mode: u32) -> Result<File> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Some(file) = new_unnamed(parent.unwrap_or(Path::new(".")), mode)? else {
        return create_under_its_name(path, size, mode);
    };
    // A look before the work; the answer that counts is that of `name_unnamed`.
    if status_of_name(path).is_ok() {
        return Err(Error::new(ErrorKind::AlreadyExists, "the name is taken"));
    }
    commit(&file, 0, size)?;
    // CRASH: a file without a name goes with its process; with the name it is whole.
    name_unnamed(&file, path)?;
    Ok(reopened(&file, path).unwrap_or(file))
}

/// The same file by its name, under which tools will list it; unless the name is gone already.
fn reopened(file: &File, path: &Path) -> Option<File> {
    let named = open(path, Opening::ReadWrite).ok()?;
    let identity = |of: &File| Some(status(of).ok()?.identity);
    (identity(&named)? == identity(file)?).then_some(named)
}

#[cold]
fn create_under_its_name(path: &Path, size: u64, mode: u32) -> Result<File> {
    let file = new_temporary(path, mode)?;
    // CRASH: dying before the size is set leaves a shorter file, which a region's bounds refuse.
    match commit(&file, 0, size) {
        Ok(()) => Ok(file),
        Err(error) => {
            let _ = unlink(path);
            Err(error)
        }
    }
}
