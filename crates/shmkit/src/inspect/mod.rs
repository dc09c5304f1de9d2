//! Describing objects without participating in them: for the command, for monitors, for repairs.
//!
//! Nothing here knows the type of an object, and only [`Finding::fix`] and removal change anything.
//! The code that describes a kind is in the folder of the kind; `kinds` is the table of all kinds.

mod describe;
mod doctor;
mod kinds;

pub use describe::{
    Condition, Description, Entry, PartDescription, Participant, describe, list, list_with_prefix,
    names_with_prefix,
};
pub use doctor::{Finding, Remedy, examine};

pub use crate::sys::directory::Mount;

pub use crate::object::{Column, Holder, Holding, PartState, Value};

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::memory::Trust;
use crate::object::{Choices, Name, missing, shown};
use crate::sys::directory;

/// Removes the object with the name, whatever its type is. Processes that have it open get
/// `Closed`.
///
/// # Errors
///
/// `NotFound`, `InvalidName`, `PermissionDenied`; `Corrupt`, `WrongKind` or `WrongVersion` for a
/// file that this program cannot open as an object: [`remove_file`] removes that. `Busy` if other
/// processes have been opening or removing it for more than 1 s.
pub fn remove(directory: &Path, name: &str, trust: Trust) -> Result<()> {
    crate::object::remove(name, &choices(directory, trust))
}

/// Removes the object with the name, unless a living process has it open. Returns whether it was
/// removed. A process that opens it at the same moment can get `Closed`.
///
/// # Errors
///
/// Those of [`remove`].
pub fn remove_unless_used(directory: &Path, name: &str, trust: Trust) -> Result<bool> {
    crate::object::remove_even_if(false, name, &choices(directory, trust))
}

/// Removes the file with the name, whatever it contains. Processes that have it open get no error.
///
/// # Errors
///
/// `NotFound`, `InvalidName`, `PermissionDenied`; `WrongKind` for a directory, which stays.
pub fn remove_file(directory: &Path, name: &str) -> Result<()> {
    let path = directory.join(Name::new(name)?.file_name());
    let removed = match path.symlink_metadata() {
        Ok(it) if it.is_dir() => Err(Error::new(ErrorKind::WrongKind, "it is a directory")),
        _ => directory::unlink(&path),
    };
    removed.map_err(|error| error.doing("remove").on(name))
}

/// Returns the file system that the directory is in. None if the system does not tell: only Linux
/// does, and only where `/proc` is mounted.
pub fn mount(directory: &Path) -> Option<Mount> {
    directory::mount(directory)
}

fn choices(directory: &Path, trust: Trust) -> Choices {
    Choices { directory: Some(directory.into()), trust, ..Choices::new() }
}

/// Returns the names of the files in the directory, in order.
fn file_names(directory: &Path) -> Result<Vec<String>> {
    let look = || -> std::io::Result<Vec<String>> {
        let mut names = Vec::new();
        for file in std::fs::read_dir(directory)? {
            // Only UTF-8: the file names of objects are.
            names.extend(file?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    };
    look().map_err(|error| {
        let error = Error::from_os(error);
        let error = match error.kind() {
            ErrorKind::Os => error.because("its entries cannot be read"),
            kind @ ErrorKind::NotFound => Error::new(kind, missing(directory)),
            _ => error,
        };
        error.doing("list").on(shown(directory))
    })
}
