//! `clock`.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::time::SystemTime;

use crate::{TestDir, Time};

#[test]
fn the_clock_sets_the_time_and_leaves() {
    let dir = TestDir::new();
    dir.shm(&["clock", "time", "--every", "1ms", "--count", "5"]);
    let time = dir.latest::<Time>().open("time").unwrap();
    assert_eq!(time.sequence(), 5);
    let last = time.get().unwrap();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    assert!(last.unix_ns < now && last.text.ends_with('Z') && last.text.starts_with("20"));
    assert_eq!(dir.json(&["info", "time"])["participants"], serde_json::json!([]));
    dir.shm(&["clock", "time", "--every", "1us", "--count", "1"]);
    assert_eq!(time.sequence(), 6, "the same object again");
}

#[test]
fn a_second_clock_and_another_type_are_refused() {
    let dir = TestDir::new();
    let _clock = dir.start_clock("time");
    dir.fails(&["clock", "time", "--count", "1"], 8, "is its only writer");
    dir.leave("other", &1_u64);
    dir.fails(&["clock", "other", "--count", "1"], 7, "cannot open or create \"other\": ");
    dir.fails(&["clock", "time", "--every", "0s"], 2, "the time must be longer than 0");
}
