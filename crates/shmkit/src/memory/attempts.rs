//! Trying again where other processes create and remove what is to be opened.

use crate::error::{Error, ErrorKind, Result};

/// How many times to try again because another process created or removed it in the meantime.
pub(super) const ATTEMPTS: usize = 100;

/// Opens by `open` what is there, or creates it by `create`, until no other process interferes.
pub(super) fn open_or_create<T>(
    open: impl Fn() -> Result<T>,
    create: impl Fn() -> Result<T>,
) -> Result<T> {
    for _ in 0..ATTEMPTS {
        match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            answer => return answer,
        }
        match create() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            answer => return answer,
        }
    }
    Err(contended())
}

/// The error after so many attempts.
#[cold]
pub(super) fn contended() -> Error {
    let why =
        format!("other processes created and removed it {ATTEMPTS} times meanwhile: try again");
    Error::new(ErrorKind::Busy, why)
}
