//! What only systems have that have modes, links and users with numbers.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::skipping::skip;
use super::*;
use crate::memory::{Access, Trust};
use crate::object::RemovalTarget;
use crate::object::named_object::observe;

#[test]
fn the_mode_is_what_was_asked_for_whatever_the_umask() {
    let directory = tempfile::tempdir().unwrap();
    for (access, read_only_peers, mode) in [
        (None, false, 0o600),
        (Some(Access::Group), true, 0o640),
        (Some(Access::Everyone), false, 0o666),
    ] {
        let read_only_peers = Some(read_only_peers);
        let asked = Choices { access, read_only_peers, ..options(&directory) };
        let _made = OpenObject::create(&name(), &asked, &new_object(&asked)).unwrap();
        let file = fs::metadata(directory.path().join("robot%2fpose.shmkit")).unwrap();
        assert_eq!(file.permissions().mode() & 0o7777, mode);
        remove("robot/pose", &options(&directory)).unwrap();
    }
}

#[test]
fn a_link_and_a_fifo_under_the_name_are_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("robot%2fpose.shmkit");
    let open = || {
        OpenObject::open(&name(), &options(&directory), OpenMode::WritableIfAllowed).err().unwrap()
    };

    fs::write(directory.path().join("other"), b"text").unwrap();
    symlink("other", &path).unwrap();
    assert!(open().to_string().contains("it is a symbolic link"), "{}", open());
    fs::remove_file(&path).unwrap();

    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(open().to_string().contains("it is a FIFO"), "{}", open());
    fs::remove_file(&path).unwrap();
}

#[test]
fn another_user_s_object_is_refused_unless_trusted() {
    let directory = tempfile::tempdir().unwrap();
    drop(OpenObject::create(&name(), &options(&directory), &contents()).unwrap());
    let path = directory.path().join("robot%2fpose.shmkit");
    if std::os::unix::fs::chown(&path, Some(12345), None).is_err() {
        return skip("an object of another user: only root can give a file away");
    }
    let error =
        OpenObject::open(&name(), &options(&directory), OpenMode::WritableIfAllowed).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("belongs to user 12345"), "{error}");
    for trust in [Trust::User(12345), Trust::Anyone] {
        let asked = Choices { trust, ..options(&directory) };
        OpenObject::open(&name(), &asked, OpenMode::WritableIfAllowed).unwrap();
    }
}

#[test]
fn an_object_whose_space_is_not_there_is_refused() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut large = contents();
    large.plan.size = 8192;
    drop(OpenObject::create(&name(), &options(&directory), &large).unwrap());
    let path = directory.path().join("robot%2fpose.shmkit");
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, &whole[..4096]).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(whole.len() as u64).unwrap();
    let error =
        OpenObject::open(&name(), &options(&directory), OpenMode::WritableIfAllowed).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("only 4096 of its"), "{error}");
}

#[test]
fn who_may_not_remove_an_object_does_not_retire_it() {
    let directory = tempfile::tempdir().unwrap();
    let open_to_all = fs::Permissions::from_mode(0o1777);
    fs::set_permissions(directory.path(), open_to_all).unwrap();
    let asked = Choices { access: Some(Access::Everyone), ..options(&directory) };
    let mine = OpenObject::create(&name(), &asked, &new_object(&asked)).unwrap();
    let object_file = observe(&name(), &options(&directory)).unwrap();
    object_file.check_removable().unwrap();
    let stranger = directory.path().join("robot%2fpose.shmkit");
    assert!(crate::sys::directory::may_unlink(&stranger, 0).unwrap(), "root and owners may");
    mine.check_not_removed().unwrap();
}

#[test]
fn of_a_file_with_two_names_the_other_is_told_and_each_can_be_removed() {
    let parent = tempfile::tempdir().unwrap();
    let [here, copy] = ["here", "copy"].map(|it| parent.path().join(it));
    let choices =
        |directory: &Path| Choices { directory: Some(directory.into()), ..Choices::new() };
    [&here, &copy].into_iter().for_each(|it| fs::create_dir(it).unwrap());
    let open = |directory: &Path| {
        OpenObject::open(&name(), &choices(directory), OpenMode::WritableIfAllowed)
    };
    for removed in [&here, &copy] {
        let user = OpenObject::create(&name(), &choices(&here), &contents()).unwrap();
        let [path, other] = [&here, &copy].map(|it| it.join("robot%2fpose.shmkit"));
        fs::hard_link(&path, &other).unwrap();
        let refused = open(&here).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        let why = format!("2 names (hard links): remove {}, or this one", other.display());
        assert!(refused.reason().contains(&why), "{refused}");
        remove("robot/pose", &choices(removed)).unwrap();
        assert!(!user.is_retired(), "it is in use under its other name");
        drop(user);
        let kept = if removed == &here { &copy } else { &here };
        open(kept).unwrap();
        assert_eq!(open(removed).err().unwrap().kind(), ErrorKind::NotFound);
        remove("robot/pose", &choices(kept)).unwrap();
    }
}

#[test]
fn an_object_whose_file_was_removed_by_hand_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let made = OpenObject::create(&name(), &options(&directory), &contents()).unwrap();
    made.check_not_removed().unwrap();
    fs::remove_file(directory.path().join("robot%2fpose.shmkit")).unwrap();
    assert_eq!(kind_of(made.check_not_removed()), ErrorKind::Closed);
    assert!(made.is_retired(), "its other users are told");
    assert_eq!(
        kind_of(made.claim_slot(Role::Writer, Until::Now)),
        ErrorKind::Closed,
        "its name is gone"
    );
    let new = OpenObject::create(&name(), &options(&directory), &contents()).unwrap();
    assert_eq!(
        kind_of(made.claim_slot(Role::Writer, Until::Now)),
        ErrorKind::Closed,
        "another has its name"
    );
    new.claim_slot(Role::Writer, Until::Now).unwrap();
}
