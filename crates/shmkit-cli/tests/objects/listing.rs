//! `ls` and `info`.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs;

use serde_json::json;
use shmkit::{Access, Lifetime};

use crate::{Goal, TestDir, goal};

#[test]
fn objects_are_listed_with_their_participants() {
    let dir = TestDir::new();
    dir.leave("robot/goal", &goal());
    let level = dir.latest::<f64>().create("tank/level").unwrap();
    let _writer = level.writer().unwrap();
    let _readers = [0, 1].map(|_| dir.latest::<f64>().open("tank/level").unwrap());
    let rows = dir.table(&["ls", "--sample", "1ms"]);
    let headings = ["NAME", "KIND", "TYPE", "SIZE", "WRITERS", "READERS", "RATE", "AGE"];
    assert_eq!(rows[0], headings);
    let size = |file: &str| {
        let bytes = fs::metadata(dir.path().join(file)).unwrap().len();
        format!("{} KiB", bytes / 1024)
    };
    let (goal, level) = (size("robot%2fgoal.shmkit"), size("tank%2flevel.shmkit"));
    assert_eq!(rows[1][..7], ["robot/goal", "latest", "Goal", &goal, "0", "0", "0/s"]);
    assert_eq!(rows[2][..7], ["tank/level", "latest", "f64", &level, "1", "2", "0/s"]);
    assert!(rows[1][7].ends_with('s'));
    assert_eq!(rows.len(), 3);
    assert!(!rows[0][0].contains('\x1b'), "styles are for terminals");
    let some = dir.shm(&["ls", "tank/", "--sample", "1ms"]);
    assert!(some.contains("tank/level") && !some.contains("robot"));
}

#[test]
fn the_rate_is_measured() {
    let dir = TestDir::new();
    let _clock = dir.start_clock("time");
    let list = dir.json(&["ls", "--sample", "50ms"]);
    assert!(list[0]["rate_per_second"].as_f64().unwrap() > 0.0, "{list}");
    assert_eq!(list[0]["writers"], json!(1));
}

#[test]
fn a_broken_object_is_listed_with_its_reason() {
    let dir = TestDir::new();
    dir.leave("sound", &1_u8);
    dir.leave("cut", &1_u8);
    fs::write(dir.path().join("foreign.shmkit"), "something else").unwrap();
    let cut = fs::File::options().write(true).open(dir.path().join("cut.shmkit")).unwrap();
    cut.set_len(2048).unwrap();
    let list = dir.shm(&["ls", "--sample", "1ms"]);
    let lines: Vec<_> = list.lines().collect();
    assert!(lines[1].starts_with("sound"), "{list}");
    assert!(lines[2].starts_with("cut: ") && lines[3].starts_with("foreign: "), "{list}");
    assert!(lines[3].contains("not a shmkit object"), "{list}");
    let report = dir.json(&["ls", "--sample", "1ms"]);
    assert_eq!(report.as_array().unwrap().len(), 3);
    assert!(report[0]["error"].as_str().unwrap().starts_with("cannot open \"cut\": "));
    dir.fails(&["get", "foreign"], 7, "cannot open \"foreign\": ");
}

#[test]
fn an_empty_directory_lists_nothing() {
    let dir = TestDir::new();
    let output = dir.run(&["ls"]);
    let note = format!("shm: no objects in {}\n", dir.path().display());
    assert_eq!((output.stdout, String::from_utf8(output.stderr).unwrap()), (vec![], note));
    assert_eq!(dir.shm(&["ls", "--json"]), "[]\n");
}

#[test]
fn info_shows_type_state_and_participants() {
    let dir = TestDir::new();
    let goals = dir.latest::<Goal>().access(Access::Group).read_only_peers(true);
    let goals = goals.lifetime(Lifetime::WhileUsed).create("robot/goal").unwrap();
    let mut writer = goals.writer().unwrap();
    writer.set(&goal()).unwrap();
    let info = dir.shm(&["info", "robot/goal"]);
    let rows = dir.table(&["info", "robot/goal"]);
    for row in [
        &["kind", "latest"][..],
        &["state", "ready"],
        &["values", "1 was set"],
        &["writers", "1 of 1"],
        &["lifetime", "while used"],
        &["at", "0", "16", "Point"],
        &["at.y", "8", "8", "f64"],
        &["path", "16", "32", "[Point; 2]"],
        &["path[0].y", "24", "8", "f64"],
        &["mode", "48", "1", "Mode: u8, Parked = 0, Driving = 1"],
        &["label", "56", "24", "FixedString<16>"],
    ] {
        let shown = |it: &Vec<String>| it.join(" ") == row.join(" ");
        assert!(rows.iter().any(shown), "{row:?} is not in\n{info}");
    }
    assert!(info.contains("group, other users read only"), "{info}");
    assert!(info.contains(" in slot 0 may write\n") && info.contains("alive, holder"), "{info}");
    let report = dir.json(&["info", "robot/goal"]);
    let file = dir.path().join("robot%2fgoal.shmkit");
    assert_eq!(report["file"], json!(file.to_str().unwrap()));
    assert_eq!(report["participants"][0]["pid"], json!(std::process::id()));
    let field = json!({ "path": "at.x", "offset": 0, "size": 8, "type": "f64" });
    assert_eq!(report["fields"][1], field);
    assert_eq!(report["half_written"], json!(null));
    assert_eq!(report["mode"], if cfg!(unix) { json!("0640") } else { json!(null) });
    assert!(!info.contains("mode 0"), "{info}");
}

#[test]
fn the_time_of_the_last_change_is_shown_if_the_object_records_it() {
    let dir = TestDir::new();
    let now_ns = || std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let level = dir.latest::<f64>().timestamps(true).create("level").unwrap();
    let mut writer = level.writer().unwrap();
    dir.leave("untimed", &1.5_f64);
    assert_eq!(dir.json(&["info", "level"])["changed"], json!(null), "no value yet");
    writer.set(&1.5).unwrap();
    let info = dir.shm(&["info", "level"]);
    let line = info.lines().find(|line| line.starts_with("  changed ")).unwrap();
    assert!(line.contains("T") && line.ends_with("s ago"), "{line}");
    let list = || dir.json(&["ls", "--sample", "0s"]);
    let mut times = (0..10).map(|_| {
        let before = now_ns();
        writer.set(&1.5).unwrap();
        let changed = list()[0]["changed_unix_ns"].as_u64().unwrap();
        (before, changed, now_ns())
    });
    // Not if the wall clock is set meanwhile.
    assert!(times.any(|(before, changed, after)| (before..=after).contains(&changed)));
    let list = list();
    assert_eq!(list[0]["changed"], list[0]["parts"][0]["changed"]);
    assert_eq!(list[1]["changed"], json!(null));
    assert!(!dir.shm(&["info", "untimed"]).contains("  changed "));
}

#[test]
fn dir_overrides_the_environment() {
    let (dir, other) = (TestDir::new(), TestDir::new());
    other.leave("count", &5_u64);
    dir.fails(&["get", "count"], 3, "cannot open");
    let path = other.path().to_str().unwrap();
    assert_eq!(dir.shm(&["--dir", path, "get", "count"]), "5\n");
    assert_eq!(dir.shm(&["get", "count", "--dir", path]), "5\n");
}
