//! `shm top`: tables and JSON where there is no terminal.

use shmkit::{Topic, WhenFull};

use crate::{Json, TestDir};

const HEADINGS: [&str; 11] = [
    "NAME", "KIND", "RATE", "LAG", "DEPTH", "LOST", "USERS", "WAITING", "DEATHS", "MEMORY", "STATE",
];

#[test]
fn a_table_is_printed_at_each_interval_where_there_is_no_terminal() {
    let dir = TestDir::new();
    let _clock = dir.start_clock("robot/time");
    dir.leave("value", &1_u64);
    let text = dir.shm(&["top", "--interval", "50ms", "--times", "2"]);
    let tables: Vec<Vec<&str>> = text.split("\n\n").map(|table| table.lines().collect()).collect();
    assert_eq!(tables.len(), 2, "{text}");
    for table in tables {
        assert!(table[0].contains("  2 objects, "), "{text}");
        assert_eq!(table[1].split_whitespace().collect::<Vec<_>>(), HEADINGS);
        let time: Vec<_> = table[2].split_whitespace().collect();
        assert_eq!(time[..2], ["robot/time", "latest"], "{text}");
        assert!(time[2].ends_with("/s") && time[2] != "0/s", "{text}");
        let value: Vec<_> = table[3].split_whitespace().collect();
        assert_eq!(value[..6], ["value", "latest", "0/s", "-", "-", "-"], "{text}");
    }
}

#[test]
fn json_has_a_line_for_each_interval_with_the_figures_of_each_object() {
    let dir = TestDir::new();
    let options = Topic::<u32>::options().directory(dir.path()).depth(4);
    let topic = options.when_full(WhenFull::DropNew).create("ticks").unwrap();
    let (mut publisher, _subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    (0..6).for_each(|number| _ = publisher.publish(&number).unwrap());
    std::fs::write(dir.path().join("other.shmkit"), "no object").unwrap();
    let text = dir.shm(&["top", "--json", "--interval", "1ms", "--times", "3"]);
    assert_eq!(text.lines().count(), 3, "{text}");
    for line in text.lines() {
        let report: Json = serde_json::from_str(line).unwrap();
        assert!(report[0]["error"].is_string(), "{line}");
        let figures = &report[1]["figures"];
        assert_eq!((&report[1]["name"], &figures["lag"]), (&"ticks".into(), &4.into()), "{line}");
        assert_eq!((&figures["depth"], &figures["lost"]), (&4.into(), &2.into()), "{line}");
        assert_eq!((&figures["rate_per_second"], &figures["deaths"]), (&0.0.into(), &0.into()));
    }
}

#[test]
fn deaths_are_counted_and_the_dead_are_among_the_users() {
    let dir = TestDir::new();
    let mut clock = dir.start_clock("time");
    clock.kill();
    let row = |text: &str| {
        text.lines()
            .nth(2)
            .unwrap()
            .split("  ")
            .map(str::trim)
            .map(Into::into)
            .collect::<Vec<String>>()
    };
    let once = ["top", "--interval", "1ms", "--times", "1"];
    let text = dir.shm(&once);
    let has = |text: &str| row(text).iter().any(|it| it == "0 (1 dead)");
    assert!(has(&text), "{text}");
    let deaths = |dir: &TestDir| {
        let report: Json =
            serde_json::from_str(&dir.shm(&[&once[..], &["--json"]].concat())).unwrap();
        report[0]["figures"]["deaths"].clone()
    };
    assert_eq!(deaths(&dir), 1);
    dir.doctor(&["--fix"]);
    assert_eq!(deaths(&dir), 1, "counted, although its slot is free");
    assert!(!has(&dir.shm(&once)));
}

#[test]
fn rows_are_sorted_and_chosen_by_prefix() {
    let dir = TestDir::new();
    dir.leave("a/small", &1_u8);
    dir.leave("a/large", &[1_u64; 4096]);
    dir.leave("b", &1_u8);
    let names = |options: &[&str]| {
        let all = ["top", "--interval", "1ms", "--times", "1", "--json"];
        let report: Json = serde_json::from_str(&dir.shm(&[&all[..], options].concat())).unwrap();
        let names = report.as_array().unwrap().iter().map(|it| it["name"].to_string());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&[]), r#""a/large" "a/small" "b""#);
    assert_eq!(names(&["a/", "--reverse"]), r#""a/small" "a/large""#);
    assert_eq!(names(&["--sort", "memory"]), r#""a/large" "a/small" "b""#);
    assert!(names(&["--sort", "memory", "-r"]).ends_with(r#""a/large""#));
    dir.fails(&["top", "--sort", "price"], 2, "possible values: name, kind, rate");
    dir.fails(&["top", "--interval", "0s"], 2, "longer than 0");
}

#[cfg(target_os = "linux")]
mod terminal;
