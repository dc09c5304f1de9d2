//! Another name of a file, for the error about it.

use std::fs::read_dir;
use std::path::{Path, PathBuf};

use super::status_of_name;
use crate::sys::status::Identity;

/// Returns another name of the file at `path`, where copies with hard links (`cp -al`) put it: in
/// the same directory, or in one beside it. `None`: it is elsewhere, or there are too many files.
pub(crate) fn other_name(path: &Path, file: Identity) -> Option<PathBuf> {
    const MAX_LOOKS: usize = 10_000;
    let (directory, name) = (path.parent()?, path.file_name()?);
    let entries = |directory: &Path| read_dir(directory).into_iter().flatten().flatten();
    let here = entries(directory).map(|entry| entry.path());
    let beside = directory.parent().into_iter().flat_map(entries);
    let mut names = here.chain(beside.map(|entry| entry.path().join(name))).take(MAX_LOOKS);
    names.find(|it| it != path && status_of_name(it).is_ok_and(|status| status.identity == file))
}
