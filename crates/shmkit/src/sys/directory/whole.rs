//! Files that other processes see complete or not at all.

use std::fs::File;
use std::path::Path;

use super::{
    name_unnamed, new_temporary, new_unnamed, open, rename_temporary, status_of_name,
    temporary_path, unlink,
};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file::commit;
#[cfg(target_os = "linux")]
use crate::sys::file::extend;
use crate::sys::opening::Opening;
use crate::sys::status::status;

/// Creates a file of `size` bytes, all committed, with these permission bits.
///
/// The file gets its name last, so other processes see the complete file or none. If several
/// processes race for the name, one wins. On a file system that can neither make files without a
/// name nor rename without replacing, the file is created under its name, and other processes can
/// open it before it has its size.
pub(crate) fn create_whole(path: &Path, size: u64, mode: u32) -> Result<File> {
    create_filled(path, mode, |file| commit(file, 0, size))
}

/// Creates a file as [`create_whole`] does, but commits nothing.
#[cfg(target_os = "linux")]
pub(crate) fn create_sparse(path: &Path, size: u64, mode: u32) -> Result<File> {
    create_filled(path, mode, |file| extend(file, size))
}

/// Creates a file, to which `fill` gives its size.
fn create_filled(path: &Path, mode: u32, fill: impl Fn(&File) -> Result<()>) -> Result<File> {
    // An early check that saves the work. The one that counts is made when the file gets its name.
    if status_of_name(path).is_ok() {
        return Err(Error::new(ErrorKind::AlreadyExists, "the name is taken"));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let Some(file) = new_unnamed(parent, mode)? else {
        return match create_renamed(path, parent, mode, &fill)? {
            Some(file) => Ok(file),
            None => create_named(path, mode, &fill),
        };
    };
    fill(&file)?;
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

/// Creates the file under a temporary name. Returns `None` if it cannot get its own name then.
#[cold]
fn create_renamed(
    path: &Path,
    parent: &Path,
    mode: u32,
    fill: impl Fn(&File) -> Result<()>,
) -> Result<Option<File>> {
    let temporary = temporary_path(parent)?;
    let file = new_temporary(&temporary, mode)?;
    // CRASH: a process that dies before the file is renamed leaves it under its temporary name,
    // which blocks no other name.
    let filled = fill(&file);
    let renamed = filled.is_ok().then(|| rename_temporary(&temporary, path));
    if !matches!(renamed, Some(Ok(()))) {
        let _ = unlink(&temporary);
    }
    filled?;
    match renamed {
        Some(Err(error)) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Some(Err(_)) => Ok(None),
        _ => Ok(Some(file)),
    }
}

#[cold]
fn create_named(path: &Path, mode: u32, fill: impl Fn(&File) -> Result<()>) -> Result<File> {
    let file = new_temporary(path, mode)?;
    // CRASH: a process that dies before the size is set leaves a shorter file. Regions beyond its
    // end are refused as out of range.
    fill(&file).inspect_err(|_| _ = unlink(path))?;
    Ok(file)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MODE: u32 = 0o600;

    fn fill(file: &File) -> Result<()> {
        commit(file, 0, 100)
    }

    fn files(directory: &Path) -> usize {
        std::fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn without_unnamed_files_a_file_is_renamed_once_it_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let (place, path) = (directory.path(), directory.path().join("it"));
        let filling = |file: &File| {
            assert!(status_of_name(&path).is_err(), "it has its name before its size");
            fill(file)
        };
        create_renamed(&path, place, MODE, filling).unwrap().unwrap();
        assert_eq!((status_of_name(&path).unwrap().size, files(place)), (100, 1));
        let refused = create_renamed(&path, place, MODE, fill).err().unwrap();
        assert_eq!((refused.kind(), files(place)), (ErrorKind::AlreadyExists, 1));
    }

    #[test]
    fn a_file_that_cannot_be_filled_leaves_no_name() {
        let directory = tempfile::tempdir().unwrap();
        let (place, path) = (directory.path(), directory.path().join("it"));
        let full = |_: &File| Err(Error::new(ErrorKind::OutOfSpace, "no space"));
        let refused = [
            create_filled(&path, MODE, full).err(),
            create_renamed(&path, place, MODE, full).err(),
            create_named(&path, MODE, full).err(),
        ];
        for error in refused {
            assert_eq!(error.unwrap().kind(), ErrorKind::OutOfSpace);
        }
        assert_eq!(files(place), 0);
    }

    #[test]
    fn a_file_that_cannot_be_renamed_is_left_to_another_way() {
        let directory = tempfile::tempdir().unwrap();
        let (place, nowhere) = (directory.path(), directory.path().join("no/it"));
        assert!(create_renamed(&nowhere, place, MODE, fill).unwrap().is_none());
        assert_eq!(files(place), 0);
        create_named(&place.join("it"), MODE, fill).unwrap();
        assert_eq!(status_of_name(&place.join("it")).unwrap().size, 100);
    }
}
