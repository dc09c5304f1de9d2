//! Names of files that do not have their final name yet, or have lost it.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::sys::random::random;

const SUFFIX: &str = ".shmkit-new";

/// Returns a path that no other file has.
pub(crate) fn temporary_path(directory: &Path) -> Result<PathBuf> {
    Ok(numbered_path(directory, u64::from_le_bytes(random()?)))
}

/// Returns the temporary path with this number.
pub(super) fn numbered_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!(".{number:016x}{SUFFIX}"))
}

/// Returns whether a file name is one of these temporary names, so that no foreign file is swept.
pub(crate) fn is_temporary(file_name: &str) -> bool {
    let number = file_name.strip_prefix('.').and_then(|rest| rest.strip_suffix(SUFFIX));
    number.is_some_and(|number| {
        number.len() == 16 && number.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_files_do_not_look_temporary() {
        let path = temporary_path(Path::new("nowhere")).unwrap();
        assert!(is_temporary(path.file_name().unwrap().to_str().unwrap()));
        for foreign in
            ["mine.shmkit-new", ".shmkit-new", ".0123.shmkit-new", ".0123456789abcdeF.shmkit-new"]
        {
            assert!(!is_temporary(foreign), "{foreign}");
        }
    }
}
