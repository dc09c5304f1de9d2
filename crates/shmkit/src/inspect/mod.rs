//! Looking at objects without taking part in them: for the command, for monitors, for repairs.
//!
//! Nothing here needs to know an object's type, and nothing is changed but by [`Finding::fix`].

mod describe;
mod doctor;

pub use describe::{
    Condition, Content, Description, Entry, Holder, Holding, LatestContent, Participant,
    PrimitiveContent, PrimitiveState, describe, list,
};
pub use doctor::{Finding, examine};

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::memory::Trust;
use crate::object::{Name, Options};
use crate::sys::directory;

/// Removes the object that has the name, whatever its type is. Whoever has it open is told.
///
/// # Errors
///
/// `NotFound`, `PermissionDenied`; `Corrupt` or `WrongKind` for a file that is no object:
/// [`remove_file`] takes that away. `Busy` if others have been opening it for more than 1 s.
pub fn remove(directory: &Path, name: &str, trust: Trust) -> Result<()> {
    crate::object::remove_named(name, &options(directory, trust))
}

/// Takes the file of that name away, whatever is in it, and tells nobody.
///
/// # Errors
///
/// `NotFound`, `PermissionDenied`; `WrongKind` for a directory, which is left.
pub fn remove_file(directory: &Path, name: &str) -> Result<()> {
    let path = directory.join(Name::new(name)?.file_name());
    let removed = match path.symlink_metadata() {
        Ok(it) if it.is_dir() => Err(Error::new(ErrorKind::WrongKind, "it is a directory")),
        _ => directory::unlink(&path),
    };
    removed.map_err(|error| error.doing("remove").on(name))
}

fn options(directory: &Path, trust: Trust) -> Options {
    Options { directory: Some(directory.into()), trust, ..Options::new() }
}

/// The names of the files in the directory, in order.
fn file_names(directory: &Path) -> Result<Vec<String>> {
    let look = || -> std::io::Result<Vec<String>> {
        let mut names = Vec::new();
        for file in std::fs::read_dir(directory)? {
            // Ours are UTF-8.
            names.extend(file?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    };
    look().map_err(|error| {
        let error = Error::from_os(error).doing("list").on(directory.display());
        if error.kind() == ErrorKind::Os {
            error.because("its entries cannot be read")
        } else {
            error
        }
    })
}
