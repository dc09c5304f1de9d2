//! `demo` and ctrl-c.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::await_writer;
use crate::{Running, TestDir};

#[test]
fn ctrl_c_removes_its_objects() {
    let dir = TestDir::new();
    let mut command = dir.command(&["demo", "--during", "60s"]);
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
