//! `demo` and ctrl-break.

use std::fs;

use super::await_writer;
use crate::{Running, TestDir, console};

#[test]
fn ctrl_break_removes_its_objects() {
    let dir = TestDir::new();
    let mut command = dir.command(&["demo", "--during", "60s"]);
    let mut demo = Running::new(console::group(&mut command));
    await_writer(&dir);
    if !console::interrupt(&demo.child) {
        return;
    }
    assert_eq!(demo.child.wait().unwrap().code(), Some(130));
    assert!(demo.errors.next().is_none(), "no error");
    // Its processes remove the mapped files before they exit.
    while fs::read_dir(dir.path()).unwrap().count() > 0 {
        std::thread::yield_now();
    }
}
