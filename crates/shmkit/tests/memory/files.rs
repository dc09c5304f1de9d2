//! Mapped files.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs;

use shmkit::ErrorKind;
use shmkit::memory::FileMapping;

use crate::assert_error;

#[test]
fn a_mapping_and_the_file_have_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new");
    let file = FileMapping::create(&path, 10_001).unwrap();
    let pattern: Vec<u8> = (0..10_001).map(|at| (at % 251) as u8).collect();
    file.map().unwrap().write_at(0, &pattern).unwrap();
    assert_eq!(fs::read(&path).unwrap(), pattern);

    fs::write(&path, b"short").unwrap();
    let file = FileMapping::options().read_only().open(&path).unwrap();
    let region = file.map().unwrap();
    let mut bytes = [0; 5];
    region.read_at(0, &mut bytes).unwrap();
    assert_eq!((&bytes, region.len(), file.size().unwrap()), (b"short", 5, 5));
}

#[test]
fn open_or_create_says_whether_it_created_the_file_and_refuses_another_size() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it");
    let read_only = FileMapping::options().read_only();
    for (options, was_created) in
        [(FileMapping::options(), true), (FileMapping::options(), false), (read_only, false)]
    {
        let file = options.open_or_create(&path, 100).unwrap();
        assert_eq!((file.size().unwrap(), file.was_created()), (100, was_created));
    }
    assert!(!FileMapping::open(&path).unwrap().was_created());
    let message = format!("cannot open or create \"{}\": it has 100 bytes, not", path.display());
    assert_error(FileMapping::open_or_create(&path, 50), ErrorKind::WrongOptions, &message);
    assert_eq!(fs::metadata(&path).unwrap().len(), 100);

    let new = read_only.open_or_create(directory.path().join("new"), 100).unwrap();
    assert_eq!((new.is_read_only(), new.was_created()), (true, true));
    assert!(FileMapping::create(directory.path().join("other"), 1).unwrap().was_created());
    let missing = directory.path().join("no/file");
    let refused = FileMapping::open_or_create(&missing, 1);
    assert_error(refused, ErrorKind::NotFound, "cannot open or create");
    let refused = FileMapping::open_or_create(directory.path(), 1);
    assert_error(refused, ErrorKind::WrongKind, "it is a directory");
}

#[test]
fn what_cannot_be_mapped_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it");
    let quoted = format!("cannot open \"{}\": ", path.display());
    assert_error(FileMapping::open(&path), ErrorKind::NotFound, &quoted);
    let missing = directory.path().join("no/file");
    assert_error(FileMapping::create(&missing, 1), ErrorKind::NotFound, "cannot create");

    fs::write(&path, b"").unwrap();
    let empty = FileMapping::open(&path).unwrap();
    let message = format!("cannot map \"{}\": it is empty", path.display());
    assert_error(empty.map(), ErrorKind::InvalidArgument, &message);
    assert_error(FileMapping::create(&path, 1), ErrorKind::AlreadyExists, "cannot create");

    for (options, why) in [
        (FileMapping::options(), "it is a directory"),
        (FileMapping::options().read_only(), "it is a directory"),
    ] {
        assert_error(options.open(directory.path()), ErrorKind::WrongKind, why);
    }
    for device in if cfg!(windows) { &["NUL"][..] } else { &["/dev/null", "/dev/zero"] } {
        assert_error(FileMapping::open(device), ErrorKind::WrongKind, "it is a device or a socket");
    }
}

#[test]
fn an_open_file_is_mapped_with_the_access_of_its_descriptor() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it");
    fs::write(&path, b"0123").unwrap();
    let read_only = FileMapping::from_file(fs::File::open(&path).unwrap()).unwrap();
    let why = "it is open read-only";
    assert_error(read_only.set_size(1), ErrorKind::PermissionDenied, why);
    let written = fs::File::options().append(true).open(&path).unwrap();
    let write_only = FileMapping::from_file(written).unwrap();
    assert_error(write_only.map(), ErrorKind::PermissionDenied, "cannot map \"<open file>\"");
    let both = fs::File::options().read(true).write(true).open(&path).unwrap();
    FileMapping::from_file(both).unwrap().map().unwrap().write_at(3, b"x").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"012x");
}
