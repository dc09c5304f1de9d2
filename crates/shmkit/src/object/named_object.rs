//! What is done with an object by its name, without being present in it.

use std::path::Path;

use super::attempts::until_not_raced;
use super::choices::Choices;
use super::layout::ObjectLayout;
use super::name::Name;
use super::object_file::{ObjectFile, OpenMode, Raced, not_removable};
use super::{new_file, removal};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory;

/// Opens an object without being present in it: for listing and repairs.
pub(crate) fn observe(name: &Name, choices: &Choices) -> Result<ObjectFile> {
    let (directory, mode) = (choices.directory(), OpenMode::WritableIfAllowed);
    until_not_raced(choices, || ObjectFile::open(&directory, name, mode, choices.trust))
}

/// Removes the object with the name while others may use it: they get `Closed`.
///
/// If its file has other names too, this removes only the name: the object stays that of the other
/// names.
pub(crate) fn remove(name: &str, choices: &Choices) -> Result<()> {
    remove_even_if(true, name, choices).map(drop)
}

/// The same, also if a process uses it or only if none does. Returns whether it was removed.
pub(crate) fn remove_even_if(used: bool, name: &str, choices: &Choices) -> Result<bool> {
    let remove = || {
        let name = Name::new(name)?;
        until_not_raced(choices, || {
            let file = match observe(&name, choices) {
                Err(refused) if refused.kind() == ErrorKind::PermissionDenied => {
                    let path = choices.directory().join(name.file_name());
                    return remove_refused(used, &path, choices, refused).map(Ok);
                }
                file => file?,
            };
            let was_stale = removal::is_stale(&file)?;
            let is_removed = match used {
                true => removal::remove(&file)?,
                false if removal::remove_unless_used(&file)? => return Ok(Ok(false)),
                // By this process, or by another one meanwhile.
                false => true,
            };
            Ok(if is_removed && !was_stale { Ok(true) } else { Err(Raced) })
        })
    };
    remove().map_err(|error| or_read_only(error, &choices.directory()).doing("remove").on(name))
}

/// Removes a name of a file that was refused, if that was because the file has other names: also
/// if a process uses the object, or only if none does. Returns whether it was removed.
fn remove_refused(used: bool, path: &Path, choices: &Choices, refused: Error) -> Result<bool> {
    let Ok(status) = directory::status_of_name(path) else { return Err(refused) };
    if status.has_other_names() && choices.trust.check(status.owner).is_ok() {
        return match used {
            true => directory::unlink(path).map(|()| true),
            false => new_file::unlink_if_unused(path),
        };
    }
    // Neither trust nor access would help.
    match directory::may_unlink(path, status.owner) {
        Ok(false) => Err(not_removable(status.owner)),
        _ => Err(refused),
    }
}

/// Adds to a refusal that the file system at `path` is read-only, if it is.
pub(super) fn or_read_only(error: Error, path: &Path) -> Error {
    let is_refusal = error.kind() == ErrorKind::PermissionDenied && error.os_error().is_none();
    if is_refusal && directory::is_read_only(path) {
        let why = format!("{}; the file system is mounted read-only", error.reason());
        return error.because(why);
    }
    error
}

/// Finishes the removal of the object if it is stale. Returns whether the name is free.
pub(super) fn clear_if_stale(name: &Name, choices: &Choices) -> Result<bool> {
    match observe(name, choices) {
        Ok(file) if removal::is_stale(&file)? => {
            removal::finish_removal(&file)?;
            Ok(true)
        }
        Ok(_) => Ok(false),
        // Removed meanwhile: the name is free.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        // Not ours, or not readable: it has the name all the same.
        Err(_) => Ok(false),
    }
}

/// Removes the object if its kind or type differs, as `fits` says, and no process uses it.
pub(super) fn clear_if_unsuitable(
    name: &Name,
    choices: &Choices,
    fits: impl Fn(&ObjectLayout) -> Result<()>,
) -> Result<()> {
    // What cannot be opened, opening reports.
    let Ok(file) = observe(name, choices) else { return Ok(()) };
    let differs = match fits(file.layout()) {
        Err(it) if matches!(it.kind(), ErrorKind::WrongKind | ErrorKind::WrongType) => it,
        _ => return Ok(()),
    };
    let stays = match removal::remove_unless_used(&file) {
        Ok(false) => return Ok(()),
        Ok(true) => "a process uses it, as `shm info` shows".into(),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => error.reason(),
        Err(error) => return Err(error),
    };
    let why = format!("{}; it is not replaced: {stays}", differs.reason());
    Err(differs.because(why))
}
