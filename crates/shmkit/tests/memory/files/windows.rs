//! Files that are not cut or removed under those who map them.

use std::fs;

use shmkit::ErrorKind;
use shmkit::memory::FileMapping;

use super::Directory;
use crate::refused;

#[test]
fn it_cannot_be_cut_as_long_as_it_is_mapped() {
    let directory = Directory::new();
    let path = directory.0.join("it");
    let file = FileMapping::create(&path, 100_000).unwrap();
    let region = file.map().unwrap();
    region.fill(.., 1).unwrap();
    refused(file.set_size(5_000), ErrorKind::Busy, "a part to be cut is mapped");
    let other = fs::File::options().write(true).open(&path).unwrap();
    assert!(other.set_len(5_000).is_err(), "nor by others");
    assert_eq!(file.size().unwrap(), 100_000);
    drop(region);
    file.set_size(5_000).unwrap();
    assert_eq!(fs::read(&path).unwrap(), [1; 5_000]);
}

#[test]
fn it_can_grow_while_it_is_mapped() {
    let directory = Directory::new();
    let file = FileMapping::create(directory.0.join("it"), 10).unwrap();
    let region = file.map().unwrap();
    file.set_size(100_000).unwrap();
    assert_eq!((region.len(), file.map().unwrap().len()), (10, 100_000));
}

#[test]
fn others_open_it_as_they_are_used_to_while_its_maker_has_it() {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Storage::FileSystem::{FILE_SHARE_READ, FILE_SHARE_WRITE};
    let path = std::env::temp_dir().join(&*crate::Unique::new());
    let file = FileMapping::create(&path, 10).unwrap();
    file.map().unwrap().fill(.., 7).unwrap();
    // As C and Python do: nobody may delete it meanwhile.
    let sharing = FILE_SHARE_READ | FILE_SHARE_WRITE;
    fs::File::options().read(true).share_mode(sharing).open(&path).unwrap();
    drop(file);
    fs::remove_file(&path).unwrap();
}
