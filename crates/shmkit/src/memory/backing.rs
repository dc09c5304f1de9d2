//! An open file whose bytes are shared: the common part of named memory and mapped files.

use std::fs::File;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory::Status;
use crate::sys::file;

/// An open regular file, its name in errors, and whether it is open for writing.
#[derive(Debug)]
pub(super) struct Backing {
    file: File,
    label: String,
    writable: bool,
}

impl Backing {
    /// Takes an open file, which must be a regular one. Also returns its status.
    pub(super) fn new(file: File, label: String) -> Result<(Self, Status)> {
        let status = file::status(&file)?;
        status.file_type.check_regular()?;
        let writable = file::is_writable(&file)?;
        Ok((Self { file, label, writable }, status))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn into_file(self) -> File {
        self.file
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    pub(super) fn size(&self) -> Result<u64> {
        Ok(file::status(&self.file)
            .map_err(|error| self.with_context(error, "get the size of"))?
            .size)
    }

    pub(super) fn set_size(&self, size: u64) -> Result<()> {
        let set = || {
            if !self.writable {
                let why = "it is open read-only";
                return Err(Error::new(ErrorKind::PermissionDenied, why));
            }
            let old = file::status(&self.file)?.size;
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
