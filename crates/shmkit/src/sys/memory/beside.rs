//! A file beside a memory, for the locks of its participants: where memory is not a file, or cannot
//! be opened a second time.

use std::fs::File;

use crate::error::{ErrorKind, Result};
use crate::sys::directory::{self, Opening};

/// How many times to try again because another process created or removed the file in the meantime.
const MAX_TRIES: u32 = 100;

/// Opens the file whose locks prove that the participants of an object live. It is empty, is named
/// after the tag in the object's id, and stays.
pub(crate) fn liveness_file(_memory: &File, tag: u64) -> Result<File> {
    let directory = directory::default_path();
    // It may be the first that this user has in it.
    directory::support(directory)?;
    let path = directory.join(format!(".{tag:012x}.shmkit-liveness"));
    let mut tries = 0;
    loop {
        match directory::open(&path, Opening::ReadWrite) {
            Err(error) if error.kind() == ErrorKind::NotFound && tries < MAX_TRIES => {}
            opened => return opened,
        }
        match directory::new_temporary(&path, 0o600) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && tries < MAX_TRIES => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        tries += 1;
    }
}
