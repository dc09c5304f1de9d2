//! Files with permission bits and symbolic links.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use shmkit::ErrorKind;
use shmkit::memory::FileMapping;

use crate::assert_error;

#[test]
fn a_new_file_is_for_the_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new");
    FileMapping::create(&path, 10_001).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_symbolic_link_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let (path, link) = (directory.path().join("it"), directory.path().join("link"));
    fs::write(&path, b"behind").unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    FileMapping::open(&link).unwrap().map().unwrap().write_at(0, b"BE").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"BEhind");
    assert_error(FileMapping::create(&link, 1), ErrorKind::AlreadyExists, "cannot create");
    assert!(!FileMapping::open_or_create(&link, 6).unwrap().was_created());
    fs::remove_file(&path).unwrap();
    let why = "it is a symbolic link whose target does not exist";
    assert_error(FileMapping::open_or_create(&link, 6), ErrorKind::NotFound, why);
}
