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
        (ErrorKind::PermissionDenied, Some(before), Some(reason)) => {
            format!("{before}in {place}: {reason}")
        }
        _ => trusting(message),
    }
}

/// An error over raw memory, with what this command knows of it.
pub(crate) fn explained_raw(error: Error) -> anyhow::Error {
    Hint { message: trusting(error.to_string()), error }.into()
}

/// The message, with the way to trust the stranger that it names.
fn trusting(message: String) -> String {
    match stranger(&message) {
        Some(user) => format!("{message}: --trust {user} does"),
        None => message,
    }
}

/// The number of the user whom nobody asked to trust.
fn stranger(message: &str) -> Option<&str> {
    let (user, rest) = message.split_once("it belongs to user ")?.1.split_once(", ")?;
    rest.ends_with("did not ask to trust them").then_some(user)
}
