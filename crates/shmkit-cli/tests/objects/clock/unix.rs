//! `clock` and signals; and raw memory that is a file, and stays.

use std::fs;
use std::time::SystemTime;

use crate::Place;

#[test]
fn asked_to_end_the_clock_leaves_in_good_order() {
    let place = Place::new();
    for signal in ["INT", "TERM"] {
        let mut clock = place.start_clock(signal);
        let mut kill = std::process::Command::new("kill");
        assert!(
            kill.args(["-s", signal, &clock.child.id().to_string()]).status().unwrap().success()
        );
        assert!(clock.child.wait().unwrap().success());
        assert_eq!(place.json(&["info", signal])["participants"], serde_json::json!([]));
    }
}

#[test]
fn the_raw_clock_writes_text_into_memory_that_any_program_can_open() {
    let place = Place::new();
    let stamp = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let name = format!("shm-test-clock-{}-{stamp:x}", std::process::id());
    let path = std::path::Path::new("/dev/shm").join(&name);
    place.shm(&["clock", "--raw", &name, "--every", "1ms", "--count", "3"]);
    let bytes = fs::read(&path).unwrap();
    let text = place.shm(&["raw", "read", &name, "--text"]);
    place.shm(&["raw", "rm", &name]);
    assert_eq!(bytes.len(), 64);
    assert!(text.starts_with("20") && text.ends_with("Z\n"), "{text}");
    assert!(bytes.starts_with(text.trim_end().as_bytes()));
    let dir = place.path().to_str().unwrap();
    place.fails(&["--dir", dir, "clock", "--raw", "x"], 2, "raw memory is in /dev/shm");
}
