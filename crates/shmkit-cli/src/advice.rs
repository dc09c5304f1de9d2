//! What this command adds to errors of the library: where it looked, and how to go on.

use std::error::Error as _;
use std::path::Path;

use shmkit::{Error, ErrorKind};

use crate::exit::Hint;

/// The error, over an object in the directory, with what this command knows of it.
pub(crate) fn explained(error: Error, directory: &Path) -> anyhow::Error {
    Hint { message: message(&error, directory), error }.into()
}

/// The same, as words alone.
pub(crate) fn message(error: &Error, directory: &Path) -> String {
    let message = error.to_string();
    let (place, reason) = (directory.display(), error.source().map(ToString::to_string));
    let before = reason.as_ref().and_then(|it| message.strip_suffix(it.as_str()));
    match (error.kind(), before, reason.as_ref()) {
        (ErrorKind::NotFound, Some(before), _) if directory.is_dir() => {
            format!("{before}no object of this name in {place}")
        }
        (ErrorKind::PermissionDenied, Some(before), Some(reason)) => {
            format!("{before}in {place}: {reason}")
        }
        _ => match stranger(&message) {
            Some(user) => format!("{message}: --trust {user} does"),
            None => message,
        },
    }
}

/// The number of the user whom nobody asked to trust.
fn stranger(message: &str) -> Option<&str> {
    let (user, rest) = message.split_once("it belongs to user ")?.1.split_once(", ")?;
    rest.ends_with("did not ask to trust them").then_some(user)
}
