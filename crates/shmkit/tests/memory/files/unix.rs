//! Files with permission bits and symbolic links.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use shmkit::ErrorKind;
use shmkit::memory::FileMapping;

use super::Directory;
use crate::refused;

#[test]
fn a_new_file_is_its_owner_s_alone() {
    let directory = Directory::new();
    let path = directory.0.join("new");
    FileMapping::create(&path, 10_001).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_symbolic_link_is_followed_as_by_every_program() {
    let directory = Directory::new();
    let (path, link) = (directory.0.join("it"), directory.0.join("link"));
    fs::write(&path, b"behind").unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    FileMapping::open(&link).unwrap().map().unwrap().write_at(0, b"BE").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"BEhind");
    refused(FileMapping::create(&link, 1), ErrorKind::AlreadyExists, "cannot create");
}
