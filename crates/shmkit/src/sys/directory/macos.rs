//! A directory in the user's temporary directory; which volumes work; what removes files.

#![allow(unsafe_code, reason = "confstr by libc")]

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::place::{Flaw, Support};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::fork::Once;

/// Returns the directory of objects, unless the program or the environment chooses another.
pub(crate) fn default_path() -> &'static Path {
    static PATH: Once<PathBuf> = Once::new();
    PATH.get_or_make(|| temporary_directory().join("shmkit"))
}

/// Returns the user's own temporary directory, whatever the environment says.
fn temporary_directory() -> PathBuf {
    let mut path = vec![0; libc::PATH_MAX as usize];
    // SAFETY: the answer has the size that is passed.
    let bytes = unsafe {
        libc::confstr(libc::_CS_DARWIN_USER_TEMP_DIR, path.as_mut_ptr().cast(), path.len())
    };
    // The count includes the terminating zero. It is 0 if the system knows no such directory.
    if !(2..=path.len()).contains(&bytes) {
        return std::env::temp_dir();
    }
    path.truncate(bytes - 1);
    OsString::from_vec(path).into()
}

/// Whether the default directory is in memory.
pub(crate) const DEFAULT_IS_MEMORY: bool = false;

/// Returns whether a character of a name must be escaped in a file name. Most volumes ignore case
/// and the composition of characters.
pub(crate) fn must_escape(character: char) -> bool {
    character == '/' || character.is_ascii_uppercase() || !character.is_ascii()
}

/// Returns `None`: macOS has no files without a name.
pub(crate) fn new_unnamed(_directory: &Path, _mode: u32) -> Result<Option<File>> {
    Ok(None)
}

/// Reports that there are no unnamed files to name.
pub(crate) fn name_unnamed(_file: &File, _path: &Path) -> Result<()> {
    Err(Error::new(ErrorKind::Unsupported, "macOS has no files without a name"))
}

/// Returns the kind of storage of the directory, or an error if objects cannot live there. Creates
/// the default directory if it is missing.
pub(crate) fn support(directory: &Path) -> Result<Support> {
    if directory == default_path() {
        create_default(directory)?;
    }
    let status = rustix::fs::statfs(directory).map_err(Error::from_os)?;
    let name: String = status
        .f_fstypename
        .iter()
        .map(|&byte| byte as u8 as char)
        .take_while(|it| *it != '\0')
        .collect();
    let what = match name.as_str() {
        "apfs" | "hfs" => return Ok(Support::Disk),
        "nfs" | "smbfs" | "webdav" | "afpfs" | "ftp" => format!("a network ({name})"),
        _ if name.contains("fuse") => format!("FUSE ({name})"),
        _ if status.f_flags & libc::MNT_LOCAL as u32 == 0 => format!("a network ({name})"),
        _ => return Ok(Support::Untried),
    };
    let place = directory.display();
    let why = format!("{place} is on {what}, which does not share locks and memory");
    Err(Error::new(ErrorKind::Unsupported, why))
}

/// Returns the same for a file in the directory.
pub(crate) fn support_of(_file: &File, directory: &Path) -> Result<Support> {
    support(directory)
}

/// Creates the directory with access for its user only.
fn create_default(directory: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(Error::from_os(error)),
        _ => Ok(()),
    }
}

/// Returns what is wrong with the directory: a part of the system that removes files unasked.
pub(crate) fn flaws(directory: &Path) -> Vec<Flaw> {
    let cleaned = [&temporary_directory(), Path::new("/tmp"), Path::new("/var/tmp")];
    // Most of these are symbolic links.
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let directory = real(directory);
    if !cleaned.iter().any(|cleaned| directory.starts_with(real(cleaned))) {
        return Vec::new();
    }
    vec![Flaw {
        what: "macOS removes files here that were not used for three days, and more when it starts"
            .into(),
        remedy: "choose another directory with SHMKIT_DIR".into(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_differ_in_more_than_case_and_composition() {
        assert!(['A', 'Z', '/', 'ä', 'ſ'].into_iter().all(must_escape));
        assert!(!['a', 'z', '0', '.', ' ', '-', '_', '$', ':'].into_iter().any(must_escape));
    }

    #[test]
    fn the_default_directory_is_created_for_its_user() {
        assert_eq!(support(default_path()).unwrap(), Support::Disk);
        assert!(default_path().is_dir());
        assert_eq!(flaws(default_path()).len(), 1);
        assert!(flaws(Path::new("/Library")).is_empty());
    }
}
