//! `demo` and ctrl-c, as a terminal has it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::wait_for_writer;
use crate::{Place, Running};

#[test]
fn interrupted_it_leaves_nothing_behind() {
    let place = Place::new();
    let mut command = place.command(&["demo", "--during", "60s"]);
    // As a terminal has it: ctrl-c goes to all processes of the group.
    let mut demo = Running::new(command.process_group(0));
    wait_for_writer(&place);
    let mut kill = Command::new("kill");
    let group = format!("-{}", demo.child.id());
    assert!(kill.args(["-s", "INT", "--", &group]).status().unwrap().success());
    assert_eq!(demo.child.wait().unwrap().code(), Some(130));
    assert!(demo.notes.next().is_none(), "it is no error");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}
