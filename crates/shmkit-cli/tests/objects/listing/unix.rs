//! Permission bits and user numbers.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use shmkit::Access;

use crate::TestDir;

#[test]
fn info_reports_a_changed_file_mode() {
    let dir = TestDir::new();
    let goals = dir.latest::<u8>().access(Access::Group).read_only_peers(true);
    let _goals = goals.create("robot/goal").unwrap();
    let file = dir.path().join("robot%2fgoal.shmkit");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let info = dir.shm(&["info", "robot/goal"]);
    assert!(info.contains("group, other users read only; but its file has mode 0644"), "{info}");
}

#[test]
fn an_object_of_another_user_is_refused_unless_trusted() {
    let dir = TestDir::new();
    dir.leave("theirs", &1_u8);
    let file = dir.path().join("theirs.shmkit");
    if std::os::unix::fs::chown(&file, Some(4321), None).is_err() {
        eprintln!("not tested: only root can change the owner of a file");
        return;
    }
    dir.fails(
        &["get", "theirs"],
        5,
        "did not ask to trust them: add --trust 4321 to open it anyway\n",
    );
    assert!(dir.shm(&["ls", "--sample", "1ms"]).contains("--trust 4321 to open it anyway"));
    assert_eq!(dir.shm(&["get", "theirs", "--trust", "4321"]), "1\n");
    let report = dir.shm(&["doctor"]);
    assert!(
        report.contains("examine it as user 4321, or trust user 4321: --trust 4321"),
        "{report}"
    );
}
