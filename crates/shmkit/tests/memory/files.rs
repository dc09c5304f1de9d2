//! Files wherever they are.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs;
use std::path::PathBuf;

use shmkit::ErrorKind;
use shmkit::memory::FileMapping;

use crate::{Unique, refused};

/// A directory for one test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(&*Unique::new());
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_is_written_through_a_mapping_is_what_file_reads_see() {
    let directory = Directory::new();
    let path = directory.0.join("new");
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
fn what_is_no_file_to_map_is_refused_in_words() {
    let directory = Directory::new();
    let path = directory.0.join("it");
    let quoted = format!("cannot open \"{}\": ", path.display());
    refused(FileMapping::open(&path), ErrorKind::NotFound, &quoted);
    let missing = directory.0.join("no/file");
    refused(FileMapping::create(&missing, 1), ErrorKind::NotFound, "cannot create");

    fs::write(&path, b"").unwrap();
    let empty = FileMapping::open(&path).unwrap();
    let message = format!("cannot map \"{}\": it is empty", path.display());
    refused(empty.map(), ErrorKind::InvalidArgument, &message);
    refused(FileMapping::create(&path, 1), ErrorKind::AlreadyExists, "cannot create");

    for (options, why) in [
        (FileMapping::options(), "it is a directory"),
        (FileMapping::options().read_only(), "it is a directory"),
    ] {
        refused(options.open(&directory.0), ErrorKind::WrongKind, why);
    }
    for device in if cfg!(windows) { &["NUL"][..] } else { &["/dev/null", "/dev/zero"] } {
        refused(FileMapping::open(device), ErrorKind::WrongKind, "it is a device or a socket");
    }
}

#[test]
fn a_file_that_is_open_already_can_be_mapped_as_it_was_opened() {
    let directory = Directory::new();
    let path = directory.0.join("it");
    fs::write(&path, b"0123").unwrap();
    let read_only = FileMapping::from_file(fs::File::open(&path).unwrap()).unwrap();
    let why = "it is open for reading alone";
    refused(read_only.set_size(1), ErrorKind::PermissionDenied, why);
    let written = fs::File::options().append(true).open(&path).unwrap();
    let write_only = FileMapping::from_file(written).unwrap();
    refused(write_only.map(), ErrorKind::PermissionDenied, "cannot map \"<open file>\"");
    let both = fs::File::options().read(true).write(true).open(&path).unwrap();
    FileMapping::from_file(both).unwrap().map().unwrap().write_at(3, b"x").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"012x");
}
