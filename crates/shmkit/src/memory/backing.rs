//! A file whose bytes are to be shared: what named memory and mapped files have in common.

use std::fs::File;

use super::region::RegionOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory::Status;
use crate::sys::file;

/// An open regular file, what it is called in errors, and whether it may be changed.
#[derive(Debug)]
pub(super) struct Backing {
    file: File,
    label: String,
    writable: bool,
}

impl Backing {
    /// Takes an open file, which must be a regular one. Gives what the system says of it, too.
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
        Ok(file::status(&self.file).map_err(|error| self.say(error, "look at"))?.size)
    }

    pub(super) fn set_size(&self, size: u64) -> Result<()> {
        let set = || {
            if !self.writable {
                let why = "it is open for reading alone";
                return Err(Error::new(ErrorKind::PermissionDenied, why));
            }
            let old = file::status(&self.file)?.size;
            if size > old {
                return file::commit(&self.file, old, size);
            }
            file::cut(&self.file, size)
        };
        set().map_err(|error| self.say(error, "set the size of"))
    }

    pub(super) fn region(&self) -> RegionOptions<'_> {
        RegionOptions::new(self)
    }

    /// Completes an error that happened to this file.
    #[cold]
    pub(super) fn say(&self, error: Error, doing: &'static str) -> Error {
        error.doing(doing).on(&self.label)
    }
}
