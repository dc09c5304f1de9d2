//! Named memory as a file: permissions, owners, links and other kinds of files, removal and resizing.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

use shmkit::ErrorKind;
use shmkit::memory::{Access, SharedMemory, Trust};

use crate::skipping::skip;
use crate::{Unique, assert_error};

#[test]
fn memory_tells_whether_its_name_still_leads_to_it() {
    let name = Unique::new();
    let memory = SharedMemory::create(&name, 8).unwrap();
    assert!(!memory.is_removed().unwrap());
    fs::remove_file(name.path()).unwrap();
    assert!(memory.is_removed().unwrap());
    let other = SharedMemory::create(&name, 8).unwrap();
    assert_eq!([memory.is_removed().unwrap(), other.is_removed().unwrap()], [true, false]);
    assert!(!SharedMemory::anonymous(8).unwrap().is_removed().unwrap());
}

#[test]
fn named_memory_is_a_file_with_the_same_bytes() {
    let name = Unique::new();
    let memory = SharedMemory::create(&format!("/{}", &*name), 100).unwrap();
    memory.map().unwrap().write_at(3, b"abc").unwrap();
    let bytes = fs::read(name.path()).unwrap();
    assert_eq!((bytes.len(), &bytes[..7]), (100, &b"\0\0\0abc\0"[..]));

    fs::write(name.path(), b"0123456789").unwrap();
    let mut bytes = [0; 10];
    SharedMemory::open(&name).unwrap().map().unwrap().read_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"0123456789");
}

#[test]
fn removed_memory_stays_valid_for_its_handles() {
    let name = Unique::new();
    let old = SharedMemory::create(&name, 10).unwrap();
    let region = old.map().unwrap();
    SharedMemory::remove(&name).unwrap();
    let new = SharedMemory::create(&name, 20).unwrap();
    region.fill(.., 7).unwrap();
    let mut byte = [0];
    old.map().unwrap().read_at(9, &mut byte).unwrap();
    assert_eq!(byte, [7]);
    new.map().unwrap().read_at(9, &mut byte).unwrap();
    assert_eq!((byte, new.size().unwrap()), ([0], 20));
}

#[test]
fn the_size_can_be_changed_and_added_bytes_are_zero() {
    let name = Unique::new();
    let memory = SharedMemory::create(&name, 0).unwrap();
    assert_error(memory.map(), ErrorKind::InvalidArgument, "it is empty: there is nothing to map");
    memory.set_size(5000).unwrap();
    memory.map().unwrap().fill(.., 1).unwrap();
    memory.set_size(3000).unwrap();
    memory.set_size(6000).unwrap();
    let mut bytes = vec![9; 6000];
    memory.map().unwrap().read_at(0, &mut bytes).unwrap();
    let ones = bytes.iter().take_while(|byte| **byte == 1).count();
    assert_eq!((ones, bytes[ones..].iter().max()), (3000, Some(&0)));
    assert!(fs::metadata(name.path()).unwrap().blocks() * 512 >= 6000, "the space is committed");
}

#[test]
fn a_growth_without_space_leaves_the_size_unchanged() {
    let name = Unique::new();
    assert_error(SharedMemory::create(&name, 1 << 50), ErrorKind::OutOfSpace, "no space for");
    assert!(!name.path().exists());
    let memory = SharedMemory::create(&name, 10).unwrap();
    assert_error(memory.set_size(1 << 50), ErrorKind::OutOfSpace, "cannot set the size of");
    assert_eq!(memory.size().unwrap(), 10);
}

#[test]
fn the_mode_is_that_of_the_requested_access() {
    for (access, read_only_peers, mode) in [
        (Access::Owner, false, 0o600),
        (Access::Group, false, 0o660),
        (Access::Group, true, 0o640),
        (Access::Everyone, false, 0o666),
        (Access::Everyone, true, 0o644),
    ] {
        let name = Unique::new();
        let options = SharedMemory::options().access(access);
        let options = if read_only_peers { options.read_only_peers() } else { options };
        options.create(&name, 1).unwrap();
        assert_eq!(fs::metadata(name.path()).unwrap().permissions().mode() & 0o7777, mode);
    }
}

#[test]
fn other_files_of_the_name_are_refused_with_the_reason() {
    let (name, other) = (Unique::new(), Unique::new());
    SharedMemory::create(&other, 10).unwrap();
    let assert_refused = |kind, why: &str| {
        for options in [SharedMemory::options(), SharedMemory::options().read_only()] {
            assert_error(options.open(&name), kind, why);
        }
        let message = "cannot open or create";
        assert_error(SharedMemory::open_or_create(&name, 10), kind, message);
        assert_error(SharedMemory::create(&name, 10), ErrorKind::AlreadyExists, "cannot create");
    };

    std::os::unix::fs::symlink(other.path(), name.path()).unwrap();
    assert_refused(ErrorKind::WrongKind, "it is a symbolic link");
    fs::remove_file(name.path()).unwrap();

    assert!(std::process::Command::new("mkfifo").arg(name.path()).status().unwrap().success());
    assert!(fs::metadata(name.path()).unwrap().file_type().is_fifo());
    assert_refused(ErrorKind::WrongKind, "it is a FIFO");
    fs::remove_file(name.path()).unwrap();

    fs::create_dir(name.path()).unwrap();
    assert_refused(ErrorKind::WrongKind, "it is a directory");
    assert_error(SharedMemory::remove(&name), ErrorKind::WrongKind, "it is a directory");
    fs::remove_dir(name.path()).unwrap();

    fs::hard_link(other.path(), name.path()).unwrap();
    assert_refused(ErrorKind::PermissionDenied, "it has 2 names");
}

#[test]
fn memory_of_another_user_is_refused_unless_trusted() {
    let name = Unique::new();
    SharedMemory::create(&name, 10).unwrap();
    let other_user = 12_345;
    if std::os::unix::fs::chown(name.path(), Some(other_user), None).is_err() {
        return skip("memory of another user: only root can give files away");
    }
    let why = format!("it belongs to user {other_user}, and user 0 did not ask to trust them");
    assert_error(SharedMemory::open(&name), ErrorKind::PermissionDenied, &why);
    let trusting = |trust| SharedMemory::options().trust(trust).open(&name);
    assert_error(trusting(Trust::User(other_user + 1)), ErrorKind::PermissionDenied, &why);
    assert!(trusting(Trust::User(other_user)).is_ok() && trusting(Trust::Anyone).is_ok());
}

#[test]
fn sparse_memory_takes_space_only_for_the_pages_that_are_used() {
    const SIZE: u64 = 1 << 40;
    let name = Unique::new();
    let committed = || fs::metadata(name.path()).unwrap().blocks() * 512;
    let memory = SharedMemory::options().sparse().create(&name, SIZE).unwrap();
    assert_eq!((memory.size().unwrap(), committed()), (SIZE, 0));
    let end = memory.region().offset(SIZE - 8).map().unwrap();
    end.write_at(0, &[7; 8]).unwrap();
    let mut bytes = [0; 8];
    let opened = SharedMemory::open(&name).unwrap();
    opened.region().offset(SIZE - 8).map().unwrap().read_at(0, &mut bytes).unwrap();
    assert_eq!(bytes, [7; 8]);
    assert!((1..1 << 22).contains(&committed()), "{} bytes", committed());
    drop(memory);
    let again = SharedMemory::options().sparse().open_or_create(&name, SIZE).unwrap();
    assert!(!again.was_created());
    let too_large = SharedMemory::options().sparse().create_unique(u64::MAX);
    assert_error(too_large, ErrorKind::OutOfSpace, &format!("no space for {} bytes", u64::MAX));
}

#[test]
fn all_sessions_changes_nothing_on_unix() {
    let name = Unique::new();
    SharedMemory::options().all_sessions().create(&name, 10).unwrap();
    assert_eq!(SharedMemory::open(&name).unwrap().size().unwrap(), 10);
}
