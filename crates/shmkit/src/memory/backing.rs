//! An open file whose bytes are shared: the common part of named memory and mapped files.

use std::fs::File;

use super::while_used::Leaving;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory::Status;
use crate::sys::file;
use crate::sys::fork::OwnedFile;

/// An open regular file, its name in errors, and whether it is open for writing.
#[derive(Debug)]
pub(super) struct Backing {
    file: OwnedFile,
    label: String,
    writable: bool,
    was_created: bool,
    /// After `file`: what is to be done when that is closed.
    leaving: Option<Leaving>,
}

/// Opens again, by its name, what this process has just created as the file `created`.
///
/// `AlreadyExists` if the name leads to other memory by now, or to none: then this process has not
/// created what it would open.
pub(super) fn reopened(created: &File, open: impl FnOnce() -> Result<Backing>) -> Result<Backing> {
    let identity = file::status(created)?.identity;
    match open() {
        Ok(opened) if opened.status()?.identity == identity => Ok(opened.created()),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(_) | Err(_) => {
            let why = "another process removed it, and may have given its name to other memory: \
                       try again";
            Err(Error::new(ErrorKind::AlreadyExists, why))
        }
    }
}

impl Backing {
    /// Takes the file that `open` returns, which must be a regular one. Also returns its status.
    ///
    /// No process is forked while `open` runs, so it must not take long.
    pub(super) fn open(
        open: impl FnOnce() -> Result<File>,
        label: String,
    ) -> Result<(Self, Status)> {
        let (file, status) = OwnedFile::open(|| {
            let file = open()?;
            let status = file::status(&file)?;
            Ok((file, status))
        })?;
        status.file_type.check_regular()?;
        let writable = file::is_writable(&file)?;
        Ok((Self { file, label, writable, was_created: false, leaving: None }, status))
    }

    /// Notes that this process created what it opened.
    pub(super) fn created(self) -> Self {
        Self { was_created: true, ..self }
    }

    /// Notes what is to be done when the last user of the file ends.
    pub(super) fn leaving(self, leaving: Leaving) -> Self {
        Self { leaving: Some(leaving), ..self }
    }

    /// What is to be done when a mapping of the file ends.
    pub(super) fn leaving_of_mapping(&self) -> Option<Leaving> {
        self.leaving.clone()
    }

    pub(super) fn was_created(&self) -> bool {
        self.was_created
    }

    /// Refuses what exists with another size than `asked`.
    pub(super) fn check_size(&self, asked: u64, rounded: u64) -> Result<()> {
        let found = self.status()?.size;
        if found == rounded {
            return Ok(());
        }
        let why = format!("it has {found} bytes, not the requested {asked}");
        Err(Error::new(ErrorKind::WrongOptions, why))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn into_file(self) -> Result<File> {
        self.file.into_file().map_err(|error| error.doing("take the file of").on(&self.label))
    }

    /// Returns the status of the file. `RoleLost` if the process closed its descriptor.
    pub(super) fn status(&self) -> Result<Status> {
        self.file.check_status(file::status(&self.file))
    }

    /// Returns the file, unless the process closed its descriptor.
    pub(super) fn open_file(&self) -> Result<&File> {
        self.status().map(|_| self.file())
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    pub(super) fn size(&self) -> Result<u64> {
        Ok(self.status().map_err(|error| self.with_context(error, "get the size of"))?.size)
    }

    pub(super) fn set_size(&self, size: u64) -> Result<()> {
        let set = || {
            if !self.writable {
                let why = "it is open read-only";
                return Err(Error::new(ErrorKind::PermissionDenied, why));
            }
            let old = self.status()?.size;
            if size > old {
                return file::commit(&self.file, old, size);
            }
            file::shrink(&self.file, size)
        };
        set().map_err(|error| self.with_context(error, "set the size of"))
    }

    /// Adds the operation and the name of this file to an error.
    #[cold]
    pub(super) fn with_context(&self, error: Error, doing: &'static str) -> Error {
        error.doing(doing).on(&self.label)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_what_this_process_created_counts_as_created() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory");
        let create =
            || File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        let reopen = || {
            let file = || File::open(&path).map_err(Error::from_os);
            Backing::open(file, "memory".into()).map(|(backing, _)| backing)
        };
        let mine = create();
        let opened = reopened(&mine, reopen).unwrap();
        assert!(opened.was_created() && !opened.is_writable());
        drop(opened);
        let removed = reopened(&mine, || {
            fs::rename(&path, directory.path().join("away")).unwrap();
            reopen()
        });
        assert_eq!(removed.unwrap_err().kind(), ErrorKind::AlreadyExists);
        let replaced = reopened(&mine, || {
            drop(create());
            reopen()
        });
        assert_eq!(replaced.unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
}
