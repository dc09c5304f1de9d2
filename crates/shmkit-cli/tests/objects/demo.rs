//! `demo`: what happens, and not how fast.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs;

use serde_json::json;

use crate::TestDir;

/// The promises that a busy machine can break.
const TIMED: [&str; 1] = ["a death is reported within 100 ms"];

#[test]
fn the_demonstration_keeps_its_promises_and_removes_its_objects() {
    let dir = TestDir::new();
    let output = dir.run(&["demo", "--json", "--during", "300ms"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for part in ["paced", "flat_out"] {
        let part = &report[part];
        assert_eq!(part["torn"], json!(0));
        let number = |what: &str| part[what].as_u64().unwrap();
        assert!(number("written") > 0 && number("seen") > 0);
        assert_eq!(number("seen") + number("missed"), number("written"));
        let delay = |what: &str| part["delay_us"][what].as_f64().unwrap();
        assert!(0.0 < delay("p50") && delay("p50") <= delay("p99") && delay("p99") <= delay("max"));
        // Windows counts in ticks, perhaps 0.
        let percent = part["reader_cpu_percent"].as_f64().unwrap();
        assert!(percent > 0.0 || (cfg!(windows) && percent == 0.0), "{percent}");
    }
    assert_eq!(report["paced"]["missed"], json!(0));
    let after_kill = &report["after_kill"];
    assert!((1..=3).contains(&after_kill["tries"].as_u64().unwrap()));
    assert!(after_kill["told_ms"].as_f64().unwrap() >= 0.0);
    assert_eq!(after_kill["last_value_whole"], json!(true));
    assert_eq!(after_kill["resumed"], json!(true));
    assert!(after_kill["message"].as_str().unwrap().contains(" died; the last whole value stays"));

    let broken = report["broken"].as_array().unwrap();
    assert!(broken.iter().all(|it| TIMED.contains(&it.as_str().unwrap())), "{broken:?}");
    assert_eq!(output.status.code(), Some(i32::from(!broken.is_empty())));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn its_processes_end_with_it() {
    let dir = TestDir::new();
    let mut demo = dir.start(&["demo", "--during", "60s"]);
    await_writer(&dir);
    demo.kill();
    // They remove the object before they exit.
    while fs::read_dir(dir.path()).unwrap().count() > 0 {
        std::thread::yield_now();
    }
}

/// Waits until the writer has joined.
fn await_writer(dir: &TestDir) {
    while dir.json(&["ls", "--sample", "0ms"])[0]["writers"] != json!(1) {
        std::thread::yield_now();
    }
}

#[test]
fn a_missing_directory_is_reported_at_once() {
    let dir = TestDir::new();
    dir.fails(&["--dir", "/nowhere", "demo"], 3, "no directory /nowhere: create it first\n");
    dir.fails(&["demo", "--during", "99ms"], 2, "the time must be 100ms or more");
}
