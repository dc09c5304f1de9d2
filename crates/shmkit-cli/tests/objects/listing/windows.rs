//! Files that another program does not share.

use std::fs::File;
use std::os::windows::fs::OpenOptionsExt;

use crate::{TestDir, goal};

#[test]
fn an_object_whose_file_is_not_shared_is_busy_and_hides_no_other() {
    const WHY: &str = "another program has the file open and does not share it";
    let dir = TestDir::new();
    dir.leave("goal", &goal());
    dir.leave("level", &1.5_f64);
    let path = dir.path().join("goal.shmkit");
    let alone = File::options().read(true).share_mode(0).open(path).unwrap();
    for command in ["get", "info", "watch", "rm"] {
        dir.fails(&[command, "goal"], 8, WHY);
    }
    dir.fails(&["set", "goal", "mode=Parked"], 8, WHY);
    dir.fails(&["rm", "--force", "goal"], 8, WHY);
    let rows = dir.table(&["ls", "--sample", "1ms"]);
    assert_eq!(rows[1][0], "level");
    assert!(rows[2][0].starts_with("goal: ") && rows[2][0].contains(WHY), "{rows:?}");
    let (findings, code) = dir.doctor(&[]);
    assert!(findings.contains(WHY) && code == Some(1), "{findings}");
    drop(alone);
    dir.shm(&["rm", "goal"]);
}
