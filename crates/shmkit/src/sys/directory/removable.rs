//! An open file that can be removed while it is open.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;

use super::{MUST_FINISH_UNLINK, finish_unlink};
use crate::sys::fork::{LockFile, OwnedFile};

/// An open file that can be removed while it is open.
///
/// A system that cannot delete a file in use leaves that to the last handle.
pub(crate) struct Removable {
    file: LockFile,
    path: Arc<Path>,
    /// Asked when the handle is dropped, after the file was unmapped. Asked before, a removal in
    /// between would see the file in use, and this handle would not see the removal.
    is_removed: fn(&OwnedFile) -> bool,
}

impl Removable {
    /// Wraps the file that was opened at `path`.
    pub(crate) fn new(
        file: LockFile,
        path: &Arc<Path>,
        is_removed: fn(&OwnedFile) -> bool,
    ) -> Self {
        Self { file, path: path.clone(), is_removed }
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
        let removed = MUST_FINISH_UNLINK && (self.is_removed)(&self.file);
        crash_point!("leave: removal asked for");
        if removed {
            finish_unlink(&self.file, &self.path);
        }
    }
}
