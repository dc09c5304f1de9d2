//! The directory of objects: whether its file system is suitable, and new files in it.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::choices::missing;
use super::header::Lifetime;
use super::presence;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::View;
use crate::sys::directory::{self, Opening, Support};
use crate::sys::file;
use crate::sys::fork::LockFile;
use crate::sys::lock::{self, Mode};
use crate::sys::mapping::{Mapping, Protection};

/// Returns what the directory's file system supports, or why it is not suitable.
pub(crate) fn support(directory: &Path) -> Result<Support> {
    directory::support(directory).map_err(|error| match error.kind() {
        // The system's words would repeat it.
        kind @ ErrorKind::NotFound => Error::new(kind, missing(directory)),
        _ => error,
    })
}

/// Returns what the file system of the object's file at `path` supports.
pub(crate) fn support_of(file: &File, path: &Path) -> Result<Support> {
    directory::support_of(file, path.parent().unwrap_or(path))
}

/// Whether a new object is on a disk: its file can be copied while it is used, and pages of
/// different moments can be there after a power loss.
///
/// Where the default directory is on a disk, only a durable object counts: the others are meant
/// for memory, and the system keeps them off the disk as far as it can.
pub(crate) fn is_on_disk(directory: &Path, lifetime: Option<Lifetime>) -> Result<bool> {
    let is_meant = directory::DEFAULT_IS_MEMORY || lifetime == Some(Lifetime::Durable);
    Ok(is_meant && support(directory)? != Support::Memory)
}

/// Refuses a directory that is not suitable for new objects. Tests an unknown file system.
pub(crate) fn test_support(directory: &Path) -> Result<()> {
    if support(directory)? != Support::Untried {
        return Ok(());
    }
    let refuse = |what: &str| {
        let why = format!("the file system of {} {what}", directory.display());
        Err(Error::new(ErrorKind::Unsupported, why))
    };
    let temporary = Temporary::new(directory)?;
    let holder = directory::new_temporary(&temporary.0, 0o600)?;
    file::commit(&holder, 0, 4096)?;
    let asker = directory::open(&temporary.0, Opening::ReadWrite)?;
    lock::try_lock(&holder, presence::GATE, Mode::Exclusive)?;
    if !lock::is_locked(&asker, presence::GATE)? {
        return refuse("does not keep locks");
    }
    let mapping = Mapping::map(&asker, 0, 4096, Protection::ReadWrite)?;
    View::of_mapping(&mapping).write(0, b"written through memory")?;
    let mut seen = [0; 22];
    directory::read_at(&holder, &mut seen, 0)?;
    if &seen != b"written through memory" {
        return refuse("does not show in the file what was written through a mapping");
    }
    Ok(())
}

/// A temporary name, removed when dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn new(directory: &Path) -> Result<Self> {
        directory::temporary_path(directory).map(Self)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = directory::unlink(&self.0);
    }
}

/// A file that has no name yet, or has a temporary name if there are no unnamed files.
pub(crate) struct NewFile {
    pub(crate) file: LockFile,
    temporary: Option<Temporary>,
}

impl NewFile {
    /// Creates the file. The open file will hold its creator's locks.
    pub(crate) fn make(directory: &Path, mode: u32) -> Result<Self> {
        let mut temporary = None;
        let file = LockFile::open(|| {
            if let Some(file) = directory::new_unnamed(directory, mode)? {
                return Ok(file);
            }
            let name = temporary.insert(Temporary::new(directory)?);
            directory::new_temporary(&name.0, mode)
        })?;
        Ok(Self { file, temporary })
    }

    /// Gives the file its name. `AlreadyExists` if the name is in use; `NotFound` if another
    /// process swept the file.
    pub(crate) fn give_name(self, path: &Path) -> Result<LockFile> {
        let named = match &self.temporary {
            None => directory::name_unnamed(&self.file, path),
            Some(temporary) => directory::rename_temporary(&temporary.0, path),
        };
        // Only a file with a temporary name can be swept.
        let is_swept = |it: &Temporary| directory::status_of_name(&it.0).is_err();
        match named {
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && !self.temporary.as_ref().is_some_and(is_swept) =>
            {
                Err(error.of_kind(ErrorKind::Os).because("the name cannot be given"))
            }
            answer => answer.map(|()| self.file),
        }
    }
}

/// Whether the creator of a temporary file died, by its locks.
pub(crate) fn is_left_over(path: &Path) -> Result<bool> {
    let (file, _) = presence::open_query_file(|| directory::open(path, Opening::ReadOnly))?;
    Ok(!lock::is_locked(&file, presence::ANYONE)?)
}

/// Removes a name of a file that no process uses: that of a temporary file whose creator died, or
/// one of several names of an object. True if it did.
///
/// It holds the gate, which a creator acquires before it gives the file its name. A living creator
/// may not have its locks yet: then its file is removed, and it creates another file.
pub(crate) fn unlink_if_unused(path: &Path) -> Result<bool> {
    let gate = LockFile::open(|| directory::open(path, Opening::ReadWrite))?;
    if !lock::try_lock(&gate, presence::GATE, Mode::Exclusive)? || !is_left_over(path)? {
        return Ok(false);
    }
    directory::unlink(path)?;
    Ok(true)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_file_is_swept_once_its_creator_neither_lives_nor_names_it() {
        let place = tempfile::tempdir().unwrap();
        let path = directory::temporary_path(place.path()).unwrap();
        let maker = directory::new_temporary(&path, 0o600).unwrap();
        assert!(lock::try_lock(&maker, presence::GATE, Mode::Shared).unwrap());
        assert!(!unlink_if_unused(&path).unwrap(), "it is being named");
        lock::unlock(&maker, presence::GATE);
        assert!(lock::take(&maker, presence::slot(3), Mode::Exclusive).unwrap());
        assert!(!unlink_if_unused(&path).unwrap(), "its creator lives");
        drop(maker);
        assert!(unlink_if_unused(&path).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_was_swept_before_its_name_is_told_from_a_name_that_cannot_be_given() {
        let place = tempfile::tempdir().unwrap();
        let made = || {
            let temporary = Temporary::new(place.path()).unwrap();
            let file = LockFile::open(|| directory::new_temporary(&temporary.0, 0o600)).unwrap();
            NewFile { file, temporary: Some(temporary) }
        };
        let kind = |new: NewFile, to: &str| {
            new.give_name(&place.path().join(to)).err().expect("an error").kind()
        };
        assert_eq!(kind(made(), "nowhere/it"), ErrorKind::Os);
        let unnamed = NewFile::make(place.path(), 0o600).unwrap();
        assert_eq!(kind(unnamed, "nowhere/it"), ErrorKind::Os, "no process can sweep it");
        let swept = made();
        std::fs::rename(&swept.temporary.as_ref().unwrap().0, place.path().join("x")).unwrap();
        assert_eq!(kind(swept, "it"), ErrorKind::NotFound);
    }
}
