//! A file whose bytes are to be shared: what named memory and mapped files have in common.

use std::fs::File;
use std::path::Path;

use super::region::RegionOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory::{self, FileType, Status};
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
        let status = directory::status(&file)?;
        let why = match status.file_type {
            FileType::Regular => {
                let writable = file::is_writable(&file)?;
                return Ok((Self { file, label, writable }, status));
            }
            FileType::Directory => "it is a directory",
            FileType::SymbolicLink => "it is a symbolic link",
            FileType::Fifo => "it is a FIFO",
            FileType::Other => "it is a device or a socket",
        };
        Err(Error::new(ErrorKind::WrongKind, why))
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
        Ok(directory::status(&self.file).map_err(|error| self.say(error, "look at"))?.size)
    }

    pub(super) fn set_size(&self, size: u64) -> Result<()> {
        let set = || {
            if !self.writable {
                let why = "it is open for reading alone";
                return Err(Error::new(ErrorKind::PermissionDenied, why));
            }
            let old = directory::status(&self.file)?.size;
            if size > old {
                return file::commit(&self.file, old, size);
            }
            self.file.set_len(size).map_err(Error::from_os)
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

/// Makes a file of `size` bytes, all committed, with these permission bits, and only then gives it
/// its name: others see all of it or nothing, and of those who race one wins.
///
/// Where the file system has no unnamed files it is made under its name, and others can meet it
/// before it has its size.
pub(super) fn create_file(path: &Path, size: u64, mode: u32) -> Result<File> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Some(file) = directory::new_unnamed(parent.unwrap_or(Path::new(".")))? else {
        return create_under_its_name(path, size, mode);
    };
    // A look before the work; the answer that counts is that of `name_unnamed`.
    if directory::status_of_name(path).is_ok() {
        return Err(Error::new(ErrorKind::AlreadyExists, "the name is taken"));
    }
    directory::set_mode(&file, mode)?;
    file::commit(&file, 0, size)?;
    // CRASH: a file without a name goes with its process; with the name it is whole.
    directory::name_unnamed(&file, path)?;
    Ok(reopened(&file, path).unwrap_or(file))
}

/// The same file by its name, under which tools will list it; unless the name is gone already.
fn reopened(file: &File, path: &Path) -> Option<File> {
    let named = directory::open(path, directory::Opening::ReadWrite).ok()?;
    let identity = |of: &File| Some(directory::status(of).ok()?.identity);
    (identity(&named)? == identity(file)?).then_some(named)
}

#[cold]
fn create_under_its_name(path: &Path, size: u64, mode: u32) -> Result<File> {
    let file = directory::new_temporary(path)?;
    // CRASH: dying before the size is set leaves a shorter file, which a region's bounds refuse.
    let made = directory::set_mode(&file, mode).and_then(|()| file::commit(&file, 0, size));
    match made {
        Ok(()) => Ok(file),
        Err(error) => {
            let _ = directory::unlink(path);
            Err(error)
        }
    }
}
