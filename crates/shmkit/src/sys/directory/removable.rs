//! An open file that can be removed while it is open.

use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::finish_unlink;

/// An open file that can be removed while it is open.
///
/// A system that cannot delete a file in use leaves that to the last handle.
pub(crate) struct Removable {
    file: File,
    path: PathBuf,
    pub(crate) removed: bool,
}

impl Removable {
    /// Wraps the file that was opened at `path`.
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
