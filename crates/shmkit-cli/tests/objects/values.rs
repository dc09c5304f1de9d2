//! `get`, `set` and `watch`.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;
use shmkit::FixedString;

use crate::{GOAL, Goal, Mode, PROGRAM, TestDir, goal, started};

#[test]
fn a_value_is_printed_whole_and_by_field() {
    let dir = TestDir::new();
    dir.leave("goal", &goal());
    let get = |rest: &[&str]| dir.shm(&[&["get", "goal"], rest].concat());
    assert_eq!(get(&[]), format!("{GOAL}\n"));
    for (part, shown) in [
        ("at.x", "1.5"),
        ("path[1]", "Point { x: 2.0, y: 3.0 }"),
        ("path[1].y", "3.0"),
        ("mode", "Driving"),
        ("label", "dock"),
        ("loads", "[]"),
    ] {
        assert_eq!(get(&[part]), format!("{shown}\n"));
    }
    assert!(get(&["--pretty"]).contains("\n    label: \"dock\",\n"));
    let json = r#"{"at":{"x":1.5,"y":-0.5},"path":[{"x":0.0,"y":1.0},{"x":2.0,"y":3.0}],"mode":"Driving","label":"dock","loads":[]}"#;
    assert_eq!(get(&["--json"]), format!("{json}\n"));
    assert_eq!(get(&["--json", "path[0].y"]), "1.0\n");
}

#[test]
fn fields_are_set_together_and_others_keep_their_value() {
    let dir = TestDir::new();
    dir.leave("goal", &goal());
    let changes = ["at.y=7", "path[0].x=-1e3", "mode=Parked", "label=a=b", "loads=[1, -2]"];
    dir.shm(&[&["set", "goal"], &changes[..]].concat());
    let now = dir.latest::<Goal>().open("goal").unwrap().get().unwrap();
    let mut expected = goal();
    expected.at.y = 7.0;
    expected.path[0].x = -1e3;
    expected.mode = Mode::Parked;
    expected.label = "a=b".parse().unwrap();
    expected.loads.push(1).unwrap();
    expected.loads.push(-2).unwrap();
    assert_eq!(now, expected);
    let shown = dir.shm(&["get", "goal"]);
    dir.shm(&["set", "goal", "mode=Driving"]);
    // The printed value can be set.
    dir.shm(&["set", "goal", shown.trim_end()]);
    assert_eq!(dir.shm(&["get", "goal"]), shown);
    let report = dir.json(&["set", "goal", "at.x=0.25"]);
    assert_eq!((&report["name"], &report["sequence"]), (&json!("goal"), &json!(5)));
    assert_eq!(report["value"]["at"], json!({ "x": 0.25, "y": 7.0 }));
}

#[test]
fn a_value_that_is_not_a_struct_is_set_whole_or_by_item() {
    let dir = TestDir::new();
    dir.leave("level", &0.5_f64);
    dir.leave("name", &"a".parse::<FixedString<16>>().unwrap());
    dir.leave("list", &[1_u8, 2, 3]);
    dir.leave("mode", &Mode::Parked);
    for (name, change, shown) in [
        ("level", "-1.25", "-1.25"),
        ("level", "value=2", "2.0"),
        ("name", "x = y", "x = y"),
        ("name", "value=z", "z"),
        ("list", "[4, 5, 6]", "[4, 5, 6]"),
        ("list", "[1]=9", "[4, 9, 6]"),
        ("mode", "Driving", "Driving"),
    ] {
        dir.shm(&["set", name, change]);
        assert_eq!(dir.shm(&["get", name]), format!("{shown}\n"));
    }
}

#[test]
fn the_first_value_can_be_set() {
    let dir = TestDir::new();
    dir.latest::<Goal>().create("goal").unwrap();
    dir.fails(&["get", "goal"], 8, "cannot read \"goal\": no value has been set yet");
    dir.shm(&["set", "goal", "at.x=1"]);
    assert_eq!(dir.shm(&["get", "goal", "at"]), "Point { x: 1.0, y: 0.0 }\n");

    #[derive(shmkit::Shareable)]
    #[repr(u8)]
    enum Side {
        Left = 1,
        Right = 2,
    }
    assert_eq!((Side::Left as u8, Side::Right as u8), (1, 2));
    #[derive(shmkit::Shareable)]
    #[repr(C)]
    struct Turn {
        side: Side,
        angle: f32,
    }
    dir.latest::<Turn>().create("turn").unwrap();
    let all =
        "enum Side has no variant of value 0; there is no value to change yet: set all fields";
    dir.fails(&["set", "turn", "angle=1"], 2, all);
    dir.shm(&["set", "turn", "Turn { side: Left, angle: 1 }"]);
    dir.shm(&["set", "turn", "angle=2"]);
    assert_eq!(dir.shm(&["get", "turn"]), "Turn { side: Left, angle: 2.0 }\n");
    dir.latest::<Side>().create("side").unwrap();
    dir.shm(&["set", "side", "Right"]);
    assert_eq!(dir.shm(&["get", "side"]), "Right\n");
}

#[test]
fn invalid_input_is_refused_with_a_reason() {
    let dir = TestDir::new();
    dir.leave("goal", &goal());
    let fails = |arguments: &[&str], message: &str| dir.fails(arguments, 2, message);
    let no_field = "cannot get \"goal\": the value has no field z: the fields are at, path, mode";
    fails(&["get", "goal", "z"], no_field);
    fails(&["get", "goal", "path[2]"], "path has 2 items, counted from 0: there is no [2]");
    fails(&["get", ""], "cannot use the name \"\": it is empty");
    fails(&["get", "a//b"], "it has an empty part");
    let not_a_variant =
        "cannot set \"goal\": mode: \"Flying\" is not a variant: the variants are Parked, Driving";
    fails(&["set", "goal", "mode=Flying"], not_a_variant);
    fails(&["set", "goal", "at.x=fast"], "at.x: \"fast\" is not a valid f64");
    fails(
        &["set", "goal", "loads=[99999]"],
        "\"99999\" is not a valid i16: the range is -32768 to 32767",
    );
    fails(&["set", "goal", "label=seventeen letters"], "17 bytes of text do not fit");
    fails(&["set", "goal", "at"], "\"at\" is not FIELD=VALUE: the fields are at, at.x, at.y, path");
    fails(&["set", "goal", "at.x=1", "Goal { }"], "either one whole VALUE");
    fails(&["set", "goal", "at.x=1", "mode=Parked", "at.x=2"], "at.x is given twice");
    fails(&["set", "goal"], "FIELD=VALUE");
    fails(
        &["watch", "goal", "at.z"],
        "cannot watch \"goal\": at has no field z: the fields are x, y",
    );
    fails(&["watch", "goal", "--timeout", "soon"], "\"soon\" is not a time");
    fails(&["--trust", "bob?", "get", "goal"], "no user is called bob?: expected own, anyone, or");
    assert_eq!(dir.shm(&["get", "goal"]), format!("{GOAL}\n"), "nothing has changed");
    for command in ["get", "info", "watch", "rm"] {
        dir.fails(&[command, "nothing"], 3, "\"nothing\": ");
    }
    let reason = format!("no object of this name in {}", dir.path().display());
    dir.fails(&["get", "nothing"], 3, &format!("cannot open \"nothing\": {reason}\n"));
    dir.fails(&["rm", "nothing"], 3, &format!("cannot remove \"nothing\": {reason}\n"));
    dir.fails(&["set", "nothing", "1"], 3, "cannot open \"nothing\"");
    dir.fails(&["--dir", "/nowhere", "ls"], 3, "cannot list \"/nowhere\"");
}

#[test]
fn set_waits_for_the_only_writer_up_to_a_limit() {
    let dir = TestDir::new();
    let mut clock = dir.start_clock("time");
    let who = format!("process {} ({PROGRAM}) in slot 0 is its only writer", clock.child.id());
    dir.fails(&["set", "time", "unix_ns=1", "--no-wait"], 8, &who);
    // It is or was its only writer: the time can be over before the first attempt.
    let who = format!("process {} ({PROGRAM}) in slot 0 ", clock.child.id());
    dir.fails(&["set", "time", "unix_ns=1", "--timeout", "1ms"], 8, &who);
    clock.kill();
    dir.shm(&["set", "time", "unix_ns=1"]);
    assert_eq!(dir.shm(&["get", "time", "unix_ns"]), "1\n");
}

#[test]
fn set_works_beside_shared_writers() {
    let dir = TestDir::new();
    let count = dir.latest::<u64>().shared_writers(true).create("count").unwrap();
    let mut writer = count.writer().unwrap();
    writer.set(&1).unwrap();
    dir.shm(&["set", "count", "2"]);
    assert_eq!(count.get().unwrap(), 2);
    assert_eq!(writer.set(&3).unwrap(), 3);
}

#[test]
fn watch_prints_a_line_for_each_change() {
    let dir = TestDir::new();
    let count = dir.latest::<u64>().create("count").unwrap();
    let mut writer = count.writer().unwrap();
    writer.set(&7).unwrap();
    let mut watch = dir.start(&["watch", "count", "--now"]);
    assert_eq!(watch.line(), "7");
    for value in [8, 9, 10] {
        writer.set(&value).unwrap();
        assert_eq!(watch.line(), value.to_string());
    }
    let mut counted = dir.start(&["watch", "count", "--now", "--count", "2", "--json"]);
    assert_eq!(counted.line(), r#"{"sequence":4,"missed":0,"value":10}"#);
    writer.set(&11).unwrap();
    assert_eq!(counted.line(), r#"{"sequence":5,"missed":0,"value":11}"#);
    assert!(counted.child.wait().unwrap().success());
    assert!(counted.lines.next().is_none());

    assert_eq!(watch.line(), "11");
    dir.shm(&["rm", "count", "--force"]);
    assert_eq!(watch.note().unwrap(), "shm: cannot use \"count\": the object was removed");
    assert_eq!(watch.child.wait().unwrap().code(), Some(9));
}

#[test]
fn watch_prints_several_fields_with_times_and_only_what_differs() {
    let dir = TestDir::new();
    let goals = dir.latest::<Goal>().create("goal").unwrap();
    let mut writer = goals.writer().unwrap();
    let mut set = |x: f64, mode| {
        let mut goal = goal();
        (goal.at.x, goal.mode) = (x, mode);
        writer.set(&goal).unwrap();
    };
    set(0.0, Mode::Parked);
    let mut all = dir.start(&["watch", "goal", "at.x", "mode", "--now", "--time"]);
    let mut timed = dir.start(&["watch", "goal", "at.x", "mode", "--now", "--time", "--json"]);
    let mut modes = dir.start(&["watch", "goal", "mode", "--now", "--distinct", "--json"]);
    for (sequence, x, mode) in [(1, 0.0, "Parked"), (2, 1.0, "Parked"), (3, 2.0, "Driving")] {
        if sequence > 1 {
            set(x, if mode == "Parked" { Mode::Parked } else { Mode::Driving });
        }
        let (line, report) = (all.line(), timed.line());
        let (time, fields) = line.split_once(' ').unwrap();
        assert_eq!(fields, format!("at.x={x:?} mode={mode}"));
        let is_time = |it: &str| it.len() == 27 && it.starts_with("20") && it.ends_with('Z');
        assert!(is_time(time), "{line}");
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["value"], json!({ "at.x": x, "mode": mode }));
        assert!(is_time(report["time"].as_str().unwrap()), "{report}");
        if sequence != 2 {
            assert_eq!(
                modes.line(),
                format!(r#"{{"sequence":{sequence},"missed":0,"value":"{mode}"}}"#)
            );
        }
    }
    let silent = ["watch", "goal", "mode", "--now", "--distinct", "--timeout", "1ms"];
    let output = dir.run(&silent);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Driving\n");
    dir.fails(&silent, 8, "cannot wait for \"goal\": ");
}

#[test]
fn a_command_waits_for_an_object_that_is_created_later() {
    let dir = TestDir::new();
    let wait = "--wait-for-object";
    for command in [&["get", "level"][..], &["set", "level", "1"], &["watch", "level"]] {
        let command = [command, &[wait, "--timeout", "1ms"]].concat();
        dir.fails(&command, 8, "cannot open \"level\": no object of this name was created before");
    }
    let acquire = ["sem", "acquire", "pool", wait, "-w", "1ms", "--", "true"];
    dir.fails(&acquire, 124, "cannot open \"pool\": no object of this name was created before");
    let mut watch = dir.start(&["watch", "level", "--now", "--count", "1", wait]);
    let mut event = dir.start(&["event", "wait", "go", wait]);
    let mut set = dir.start(&["set", "level", "7", wait, "--timeout", "10m"]);
    dir.shm(&["create", "level", "f64"]);
    assert_eq!(watch.line(), "7.0");
    assert!(set.child.wait().unwrap().success());
    dir.shm(&["event", "create", "go"]);
    dir.shm(&["event", "set", "go"]);
    assert!(event.child.wait().unwrap().success());
}

#[test]
fn watch_reports_a_death_and_continues() {
    let dir = TestDir::new();
    let mut clock = dir.start_clock("time");
    let mut watch = dir.start(&["watch", "time", "unix_ns"]);
    watch.line();
    clock.kill();
    let note = watch.note().unwrap();
    let who = format!("process {} ({PROGRAM}) in slot 0 was its writer and died", clock.child.id());
    assert!(note.starts_with(&format!("shm: \"time\": {who}")), "{note}");
    dir.shm(&["set", "time", "unix_ns=5"]);
    while watch.line() != "5" {}
    watch.kill();
    assert_eq!(watch.note(), None, "reported once");
}

#[test]
fn an_unknown_field_is_refused_before_the_first_value() {
    let dir = TestDir::new();
    dir.latest::<Goal>().create("goal").unwrap();
    let fields = "the value has no field q: the fields are at, path, mode, label, loads";
    dir.fails(&["watch", "goal", "q"], 2, &format!("cannot watch \"goal\": {fields}"));
    dir.fails(&["get", "goal", "q"], 2, &format!("cannot get \"goal\": {fields}"));
    dir.fails(&["get", "goal", "loads[4]"], 2, "loads has at most 4 items, counted from 0");
    dir.fails(&["get", "goal", "loads[3]"], 8, "no value has been set yet");
}

#[test]
fn watch_escapes_control_characters() {
    let dir = TestDir::new();
    let text = |text: &str| text.parse::<FixedString<16>>().unwrap();
    dir.leave("text", &text("a\nb\x1b[2J"));
    let line = dir.shm(&["watch", "text", "--now", "--count", "1"]);
    assert_eq!(line, "a\\nb\\u{1b}[2J\n");
    assert_eq!(dir.shm(&["get", "text"]), "a\nb\x1b[2J\n", "unchanged for a program");
}

#[test]
fn watch_ends_after_its_timeout() {
    let dir = TestDir::new();
    dir.leave("count", &1_u64);
    let watch = ["watch", "count", "--timeout", "10ms"];
    dir.fails(&watch, 8, "cannot wait for \"count\": ");
}

#[test]
fn watch_reports_garbage_once_and_waits_for_the_next_value() {
    let dir = TestDir::new();
    dir.leave("count", &1_u64);
    let path = dir.path().join("count.shmkit");
    let mut bytes = fs::read(&path).unwrap();
    let payload = u64::from_le_bytes(bytes[128..136].try_into().unwrap()) as usize;
    bytes[payload..][..8].copy_from_slice(&(1_u64 << 63 | 4).to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let why = "cannot wait for \"count\": its slots do not hold value 2305843009213693953, which is \
               marked as the newest: its words hold garbage\n";
    let output = dir.run(&["watch", "count", "--timeout", "300ms"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((errors.matches(why).count(), output.status.code()), (1, Some(8)), "{errors}");
}

#[test]
fn deaths_do_not_move_the_end_of_watch() {
    const WATCHDOG: Duration = Duration::from_secs(60);
    let dir = TestDir::new();
    dir.leave("count", &1_u64);
    let path = dir.path().join("count.shmkit");
    let bytes = fs::read(&path).unwrap();
    let payload = u64::from_le_bytes(bytes[128..136].try_into().unwrap());
    let mut file = fs::File::options().write(true).open(path).unwrap();
    let mut command = dir.command(&["watch", "count", "--timeout", "50ms"]);
    // Without notices it looks for deaths at intervals: no notice tells of these.
    command.env("SHMKIT_NOTICES", "off").stderr(Stdio::null());
    let mut watch = started(|| command.spawn());
    let begun = Instant::now();
    for deaths in 1_u64.. {
        if let Some(status) = watch.try_wait().unwrap() {
            assert_eq!(status.code(), Some(8));
            break;
        }
        // The owner word counts one more.
        file.seek(SeekFrom::Start(payload + 128)).unwrap();
        file.write_all(&(deaths << 13 & 0xffff << 13).to_le_bytes()).unwrap();
        if begun.elapsed() > WATCHDOG {
            watch.kill().unwrap();
            panic!("it does not end");
        }
    }
}

#[test]
fn missed_values_are_counted() {
    let dir = TestDir::new();
    let count = dir.latest::<u64>().create("count").unwrap();
    let mut writer = count.writer().unwrap();
    writer.set(&0).unwrap();
    let mut watch = dir.start(&["watch", "count", "--now", "--json"]);
    watch.line();
    // The pipe is full before the end, so the reader falls behind by more than the object keeps.
    for value in 1..=100_000 {
        writer.set(&value).unwrap();
    }
    let (mut seen, mut missed) = (1, 0);
    loop {
        let line: serde_json::Value = serde_json::from_str(&watch.line()).unwrap();
        seen += 1;
        missed += line["missed"].as_u64().unwrap();
        assert_eq!(line["sequence"].as_u64(), Some(seen + missed));
        if line["value"] == json!(100_000) {
            break;
        }
    }
    assert!(missed > 0);
}

#[test]
fn a_closed_output_is_no_error() {
    let dir = TestDir::new();
    dir.leave("goal", &goal());
    // `watch` ends at the next change after its output is closed.
    let _clock = dir.start_clock("time");
    for arguments in [&["ls"][..], &["info", "goal"], &["get", "goal"], &["watch", "time"]] {
        let mut command = dir.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = started(|| command.spawn());
        drop(child.stdout.take());
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}");
        let mut notes = errors.lines();
        assert!(notes.all(|it| it.starts_with("shm: missed ")), "{arguments:?}: {errors}");
    }
}
