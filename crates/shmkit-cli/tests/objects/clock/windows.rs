//! `clock`, the console, and raw memory that disappears with its last user.

use std::time::SystemTime;

use crate::{Running, TestDir, console};

#[test]
fn an_interrupted_clock_leaves() {
    let dir = TestDir::new();
    let mut command = dir.command(&["clock", "time", "--every", "1ms"]);
    let mut clock = Running::new(console::group(&mut command));
    dir.await_clock("time");
    if !console::interrupt(&clock.child) {
        return;
    }
    assert!(clock.child.wait().unwrap().success());
    assert_eq!(dir.json(&["info", "time"])["participants"], serde_json::json!([]));
}

#[test]
fn the_raw_clock_keeps_its_memory_open() {
    let dir = TestDir::new();
    let stamp = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let name = format!("shm-test-clock-{}-{stamp:x}", std::process::id());
    let mut clock = dir.start(&["clock", "--raw", &name, "--every", "1ms"]);
    let text = loop {
        let output = dir.run(&["raw", "read", &name, "--text"]);
        let text = String::from_utf8(output.stdout).unwrap();
        // Before that the memory is missing, empty or half-written.
        if text.starts_with("20") && text.ends_with("Z\n") {
            break text;
        }
        assert!(clock.child.try_wait().unwrap().is_none(), "it ended");
    };
    assert_eq!(text.len(), "2026-11-23T12:55:22.123456Z\n".len());
    clock.kill();
    dir.fails(&["raw", "read", &name], 3, "cannot open");
    let path = dir.path().to_str().unwrap();
    dir.fails(&["--dir", path, "clock", "--raw", "x"], 2, "raw memory is in no directory");
}
