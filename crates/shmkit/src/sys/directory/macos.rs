//! A directory of the user's for temporary data; what each volume can do, and who cleans there.

#![allow(unsafe_code, reason = "the user's directory is asked for by libc")]

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::Stat;

use super::{Cleaner, Identity, Support};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::fork::Once;

/// Where named objects are unless the program or the environment says otherwise.
pub(crate) fn default_path() -> &'static Path {
    static PATH: Once<PathBuf> = Once::new();
    PATH.get_or_make(|| temporary_directory().join("shmkit"))
}

/// The user's own directory for temporary data, whatever the environment says.
fn temporary_directory() -> PathBuf {
    let mut path = vec![0; libc::PATH_MAX as usize];
    // SAFETY: the answer has as many bytes as are told.
    let bytes = unsafe {
        libc::confstr(libc::_CS_DARWIN_USER_TEMP_DIR, path.as_mut_ptr().cast(), path.len())
    };
    // With the zero at its end; 0 where the system knows none.
    if !(2..=path.len()).contains(&bytes) {
        return std::env::temp_dir();
    }
    path.truncate(bytes - 1);
    OsString::from_vec(path).into()
}

/// Whether a character of a name cannot stand in a file name as it is, or is taken for another:
/// most volumes ignore case, and how letters are composed.
pub(crate) fn must_escape(character: char) -> bool {
    character == '/' || character.is_ascii_uppercase() || !character.is_ascii()
}

/// Which file it is.
pub(super) fn identity_of(stat: &Stat) -> Identity {
    Identity { device: stat.st_dev as u64, file: stat.st_ino }
}

/// How many names it has.
pub(super) fn links_of(stat: &Stat) -> u64 {
    stat.st_nlink.into()
}

/// Its kind and its permission bits.
pub(super) fn mode_of(stat: &Stat) -> u32 {
    stat.st_mode.into()
}

/// There are no files without a name.
pub(crate) fn new_unnamed(_directory: &Path, _mode: u32) -> Result<Option<File>> {
    Ok(None)
}

/// Nor are they given one.
pub(crate) fn name_unnamed(_file: &File, _path: &Path) -> Result<()> {
    Err(Error::new(ErrorKind::Unsupported, "every file has a name here"))
}

/// What the directory's volume is good for, or why it is not. The default one is made if need be.
pub(crate) fn support(directory: &Path) -> Result<Support> {
    if directory == default_path() {
        make_default(directory)?;
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
    let why =
        format!("{} is on {what}, which does not share locks and memory", directory.display());
    Err(Error::new(ErrorKind::Unsupported, why))
}

/// Makes the directory for its user alone.
fn make_default(directory: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(Error::from_os(error)),
        _ => Ok(()),
    }
}

/// Who cleans the directory behind its users' backs.
pub(crate) fn cleaners(directory: &Path) -> Vec<Cleaner> {
    let cleaned = [&temporary_directory(), Path::new("/tmp"), Path::new("/var/tmp")];
    // Most of these lead through symbolic links.
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let directory = real(directory);
    if !cleaned.iter().any(|cleaned| directory.starts_with(real(cleaned))) {
        return Vec::new();
    }
    vec![Cleaner {
        what: "macOS removes what was not touched for three days here, and more when it starts"
            .into(),
        remedy: "name another directory by SHMKIT_DIR".into(),
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
    fn the_default_directory_is_made_for_its_user() {
        assert_eq!(support(default_path()).unwrap(), Support::Disk);
        assert!(default_path().is_dir());
        assert_eq!(cleaners(default_path()).len(), 1);
        assert!(cleaners(Path::new("/Library")).is_empty());
    }
}
