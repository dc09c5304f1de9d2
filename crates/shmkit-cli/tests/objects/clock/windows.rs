//! `clock` and the console; and raw memory that goes with it.

use std::time::SystemTime;

use crate::{Place, Running, console};

#[test]
fn asked_to_end_the_clock_leaves_in_good_order() {
    let place = Place::new();
    let mut command = place.command(&["clock", "time", "--every", "1ms"]);
    let mut clock = Running::new(console::group(&mut command));
    place.wait_for_clock("time");
    if !console::interrupt(&clock.child) {
        return;
    }
    assert!(clock.child.wait().unwrap().success());
    assert_eq!(place.json(&["info", "time"])["participants"], serde_json::json!([]));
}

#[test]
fn the_raw_clock_holds_the_memory_in_which_it_writes_text() {
    let place = Place::new();
    let stamp = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let name = format!("shm-test-clock-{}-{stamp:x}", std::process::id());
    let mut clock = place.start(&["clock", "--raw", &name, "--every", "1ms"]);
    let text = loop {
        let output = place.run(&["raw", "read", &name, "--text"]);
        let text = String::from_utf8(output.stdout).unwrap();
        // Not yet there, or without a text yet, or with half of one.
        if text.starts_with("20") && text.ends_with("Z\n") {
            break text;
        }
        assert!(clock.child.try_wait().unwrap().is_none(), "it ended");
    };
    assert_eq!(text.len(), "2026-11-23T12:55:22.123456Z\n".len());
    clock.kill();
    place.fails(&["raw", "read", &name], 3, "cannot open");
    let dir = place.path().to_str().unwrap();
    place.fails(&["--dir", dir, "clock", "--raw", "x"], 2, "raw memory is in no directory");
}
