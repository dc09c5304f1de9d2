//! Files that cannot be shortened or removed while they are mapped.

use std::fs;

use shmkit::ErrorKind;
use shmkit::memory::FileMapping;

use crate::assert_error;

#[test]
fn a_mapped_file_cannot_be_shortened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it");
    let file = FileMapping::create(&path, 100_000).unwrap();
    let region = file.map().unwrap();
    region.fill(.., 1).unwrap();
    assert_error(file.set_size(5_000), ErrorKind::Busy, "has mapped bytes beyond the new size");
    let other = fs::File::options().write(true).open(&path).unwrap();
    assert!(other.set_len(5_000).is_err(), "by another handle");
    assert_eq!(file.size().unwrap(), 100_000);
    drop(region);
    file.set_size(5_000).unwrap();
    assert_eq!(fs::read(&path).unwrap(), [1; 5_000]);
}

#[test]
fn a_mapped_file_can_grow() {
    let directory = tempfile::tempdir().unwrap();
    let file = FileMapping::create(directory.path().join("it"), 10).unwrap();
    let region = file.map().unwrap();
    file.set_size(100_000).unwrap();
    assert_eq!((region.len(), file.map().unwrap().len()), (10, 100_000));
}

#[test]
fn other_programs_can_open_a_mapped_file_with_the_usual_sharing() {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Storage::FileSystem::{FILE_SHARE_READ, FILE_SHARE_WRITE};
    let path = std::env::temp_dir().join(&*crate::Unique::new());
    let file = FileMapping::create(&path, 10).unwrap();
    file.map().unwrap().fill(.., 7).unwrap();
    // The sharing of C and Python, without deletion.
    let sharing = FILE_SHARE_READ | FILE_SHARE_WRITE;
    fs::File::options().read(true).share_mode(sharing).open(&path).unwrap();
    drop(file);
    fs::remove_file(&path).unwrap();
}
