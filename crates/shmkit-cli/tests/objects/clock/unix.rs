//! `clock`, signals, and raw memory that is a file.

use std::fs;
use std::time::SystemTime;

use crate::{Running, TestDir, shm_path};

#[test]
fn an_interrupted_clock_leaves() {
    let dir = TestDir::new();
    for signal in ["HUP", "INT", "TERM"] {
        // With default handling of signals also if this test ignores them.
        let mut command = std::process::Command::new("env");
        command.args(["--default-signal", &shm_path(), "clock", signal]);
        let mut clock = Running::new(command.env("SHMKIT_DIR", dir.path()));
        dir.await_clock(signal);
        let mut kill = std::process::Command::new("kill");
        kill.args(["-s", signal, &clock.child.id().to_string()]);
        assert!(kill.status().unwrap().success());
        assert!(clock.child.wait().unwrap().success());
        assert_eq!(dir.json(&["info", signal])["participants"], serde_json::json!([]));
    }
}

#[test]
fn the_raw_clock_writes_text_to_named_memory() {
    let dir = TestDir::new();
    let stamp = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let name = format!("shm-test-clock-{}-{stamp:x}", std::process::id());
    let path = std::path::Path::new("/dev/shm").join(&name);
    dir.shm(&["clock", "--raw", &name, "--every", "1ms", "--count", "3"]);
    let bytes = fs::read(&path).unwrap();
    let text = dir.shm(&["raw", "read", &name, "--text"]);
    dir.shm(&["raw", "rm", &name]);
    assert_eq!(bytes.len(), 64);
    assert!(text.starts_with("20") && text.ends_with("Z\n"), "{text}");
    assert!(bytes.starts_with(text.trim_end().as_bytes()));
    let path = dir.path().to_str().unwrap();
    dir.fails(&["--dir", path, "clock", "--raw", "x"], 2, "raw memory is in /dev/shm");
}
