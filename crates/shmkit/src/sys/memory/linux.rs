//! Files in `/dev/shm`, where `shm_open` has them.

use std::borrow::Cow;
use std::fs::File;
use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory::{self, FileType, Opening};

fn path(name: &str) -> PathBuf {
    directory::default_path().join(name)
}

/// The name by which all sessions of the machine know it.
pub(crate) fn for_all_sessions(name: &str) -> Cow<'_, str> {
    name.into()
}

/// What is wrong with a name here, beyond the rules of all systems.
pub(crate) fn misses(_name: &str) -> Option<&'static str> {
    None
}

/// The size that memory has which is made with this one.
pub(crate) fn whole_size(size: u64) -> u64 {
    size
}

/// Makes memory, all 0 and committed, with these permission bits. An existing name stays:
/// `AlreadyExists`.
pub(crate) fn create(name: &str, size: u64, mode: u32) -> Result<File> {
    directory::create_whole(&path(name), size, mode)
}

/// Opens memory.
pub(crate) fn open(name: &str, opening: Opening) -> Result<File> {
    directory::open(&path(name), opening)
}

/// Takes the name away.
pub(crate) fn remove(name: &str) -> Result<()> {
    if directory::status_of_name(&path(name))?.file_type == FileType::Directory {
        return Err(Error::new(ErrorKind::WrongKind, "it is a directory"));
    }
    directory::unlink(&path(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_where_shm_open_has_it() {
        assert_eq!(path("MySharedMemory"), std::path::Path::new("/dev/shm/MySharedMemory"));
    }
}
