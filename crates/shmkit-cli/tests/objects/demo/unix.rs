//! `demo` and ctrl-c.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::await_writer;
use crate::{Running, TestDir, shm_path};

#[test]
fn ctrl_c_removes_its_objects() {
    let dir = TestDir::new();
    // With default handling of signals also if this test ignores them.
    let mut command = Command::new("env");
    command.args(["--default-signal", &shm_path(), "demo", "--during", "60s"]);
    command.env("SHMKIT_DIR", dir.path());
    // Like a terminal, which sends ctrl-c to all processes of the group.
    let mut demo = Running::new(command.process_group(0));
    await_writer(&dir);
    let mut kill = Command::new("kill");
    let group = format!("-{}", demo.child.id());
    assert!(kill.args(["-s", "INT", "--", &group]).status().unwrap().success());
    assert_eq!(demo.child.wait().unwrap().code(), Some(130));
    assert!(demo.errors.next().is_none(), "no error");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
