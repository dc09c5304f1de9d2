//! An open file that can be removed while it is open.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;

use super::finish_unlink;
use crate::sys::fork::LockFile;

/// An open file that can be removed while it is open.
///
/// A system that cannot delete a file in use leaves that to the last handle.
pub(crate) struct Removable {
    file: LockFile,
    path: Arc<Path>,
    pub(crate) removed: bool,
}

impl Removable {
    /// Wraps the file that was opened at `path`.
    pub(crate) fn new(file: LockFile, path: &Arc<Path>) -> Self {
        Self { file, path: path.clone(), removed: false }
    }
}

impl Deref for Removable {
    type Target = LockFile;

    fn deref(&self) -> &LockFile {
        &self.file
    }
}

impl DerefMut for Removable {
    fn deref_mut(&mut self) -> &mut LockFile {
        &mut self.file
    }
}

impl Drop for Removable {
    fn drop(&mut self) {
        if self.removed {
            finish_unlink(&self.file, &self.path);
        }
    }
}
