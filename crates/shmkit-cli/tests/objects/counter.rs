//! A kind of object that the command does not mention.

use std::process;

use serde_json::json;
use shmkit::Object;
use shmkit::sync::Counter;

use crate::{PRIMITIVE_HEADINGS, TestDir};

#[test]
fn a_kind_unknown_to_the_command_is_listed_described_and_removed() {
    let dir = TestDir::new();
    let counter = Object::<Counter>::options().directory(dir.path()).create("count", 5).unwrap();
    counter.add().unwrap();

    let rows = dir.table(&["ls", "--sample", "1ms"]);
    assert_eq!(rows[0], PRIMITIVE_HEADINGS);
    assert_eq!(rows[1][..3], ["count", "counter", "-"]);
    assert_eq!(rows[1][4..8], ["1", "0", "at 6", "-"]);

    let info = dir.shm(&["info", "count"]);
    for line in ["  kind       counter", "  users      1, at most 64", "counter: at 6"] {
        assert!(info.lines().any(|it| it == line), "{line} is not in\n{info}");
    }
    let report = dir.json(&["info", "count"]);
    assert_eq!((&report["count"], &report["parts"][0]["count"]), (&json!(6), &json!(6)));
    assert_eq!(report["participants"][0]["pid"], json!(process::id()));
    assert_eq!(report["max_participants"], json!(64));

    let other = ["event", "wait", "count"];
    dir.fails(&other, 7, "it is of kind counter, and event was asked for");
    dir.shm(&["rm", "count", "--force"]);
    assert_eq!(counter.add().unwrap_err().kind(), shmkit::ErrorKind::Closed);
    dir.fails(&["info", "count"], 3, "cannot open \"count\"");
}
