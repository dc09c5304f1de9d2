//! `clock`.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::time::SystemTime;

use crate::{Place, Time};

#[test]
fn the_clock_sets_the_time_as_often_as_asked_and_leaves() {
    let place = Place::new();
    place.shm(&["clock", "time", "--every", "1ms", "--count", "5"]);
    let time = place.of::<Time>().open("time").unwrap();
    assert_eq!(time.sequence(), 5);
    let last = time.get().unwrap();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    assert!(last.unix_ns < now && last.text.ends_with('Z') && last.text.starts_with("20"));
    assert_eq!(place.json(&["info", "time"])["participants"], serde_json::json!([]));
    place.shm(&["clock", "time", "--every", "1us", "--count", "1"]);
    assert_eq!(time.sequence(), 6, "the same object again");
}

#[test]
fn a_second_clock_and_a_foreign_type_are_refused() {
    let place = Place::new();
    let _clock = place.start_clock("time");
    place.fails(&["clock", "time", "--count", "1"], 8, "is its only writer");
    place.leave("other", &1_u64);
    place.fails(&["clock", "other", "--count", "1"], 7, "cannot open or create \"other\": ");
    place.fails(&["clock", "time", "--every", "0s"], 2, "it must be more than nothing");
}
