//! Permission bits, and users with numbers.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use shmkit::Access;

use crate::Place;

#[test]
fn a_file_with_another_mode_than_its_object_was_made_with_is_told() {
    let place = Place::new();
    let goals = place.of::<u8>().access(Access::Group).read_only_peers(true);
    let _goals = goals.create("robot/goal").unwrap();
    let file = place.path().join("robot%2fgoal.shmkit");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let info = place.shm(&["info", "robot/goal"]);
    assert!(info.contains("group, others only to read; but its file has mode 0644"), "{info}");
}

#[test]
fn whose_an_object_is_and_how_to_trust_them_is_told() {
    let place = Place::new();
    place.leave("theirs", &1_u8);
    let file = place.path().join("theirs.shmkit");
    if std::os::unix::fs::chown(&file, Some(4321), None).is_err() {
        eprintln!("not tested: only root can give files away");
        return;
    }
    place.fails(&["get", "theirs"], 5, "did not ask to trust them: --trust 4321 does\n");
    assert!(place.shm(&["ls", "--sample", "1ms"]).contains("--trust 4321 does"));
    assert_eq!(place.shm(&["get", "theirs", "--trust", "4321"]), "1\n");
    let advice = place.shm(&["doctor"]);
    assert!(advice.contains("look as its owner, or with --trust 4321"), "{advice}");
}
