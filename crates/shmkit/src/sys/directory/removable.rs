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
    /// Whether what is in the file was removed. Called on drop, after the file was unmapped. A call
    /// before that could miss a removal that finds the file still mapped, and then no process
    /// would delete the file.
    is_removed: fn(&OwnedFile) -> bool,
}

impl Removable {
    /// Wraps the file that was opened at `path`. On drop, `is_removed` says whether what is in it
    /// was removed.
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
        // CRASH: dying from here on can leave a removed file under its temporary name, which the
        // sweep deletes.
        crash_point!("leave: checked whether removed");
        if removed {
            finish_unlink(&self.file, &self.path);
        }
    }
}
