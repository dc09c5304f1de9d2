//! `shm topic`: messages from and to standard streams, beside programs that use the library.

use std::io::Write;
use std::process::{Child, Stdio};

use shmkit::{Shareable, Topic};

use crate::running::started;
use crate::{Json, Running, TestDir};

#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Pose {
    x: f64,
    y: f64,
}

/// Starts a command that gets this input.
pub(crate) fn start_with_input(dir: &TestDir, arguments: &[&str], input: &[u8]) -> Child {
    let mut command = dir.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = started(|| command.spawn());
    child.stdin.take().unwrap().write_all(input).unwrap();
    child
}

/// Runs a command with this input, which must succeed. Returns what it printed, and its messages.
#[track_caller]
pub(crate) fn with_input(dir: &TestDir, arguments: &[&str], input: &[u8]) -> (Vec<u8>, String) {
    let output = start_with_input(dir, arguments, input).wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    (output.stdout, errors)
}

/// Starts a subscriber, and waits until it has joined.
fn start_subscriber(dir: &TestDir, arguments: &[&str]) -> Running {
    let subscriber = dir.start(arguments);
    dir.await_object(arguments[2], |it| it.parts[0].state.number("subscribers") == Some(1));
    subscriber
}

#[test]
fn lines_reach_each_subscriber_as_they_are() {
    let dir = TestDir::new();
    dir.shm(&["topic", "create", "log", "--type", "lines"]);
    let arguments = ["topic", "sub", "log", "--count", "4"];
    let mut subscribers: Vec<_> = (0..2).map(|_| dir.start(&arguments)).collect();
    dir.await_object("log", |it| it.parts[0].state.number("subscribers") == Some(2));
    with_input(&dir, &["topic", "pub", "log"], b"first\n\n  third \nlast, without an end");
    for subscriber in &mut subscribers {
        let lines: Vec<_> = (0..4).map(|_| subscriber.line()).collect();
        assert_eq!(lines, ["first", "", "  third ", "last, without an end"]);
        assert!(subscriber.child.wait().unwrap().success());
    }
}

#[test]
fn values_are_text_or_json_and_a_program_shares_them() {
    let dir = TestDir::new();
    dir.shm(&["topic", "create", "pose", "--type", "struct Pose { x: f64, y: f64 }"]);
    let topic = Topic::<Pose>::options().directory(dir.path()).open("pose").unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let input = b"Pose { x: 1.5, y: -2.0 }\n\n{\"x\": 3, \"y\": 4}\n";
    with_input(&dir, &["topic", "pub", "pose"], input);
    dir.shm(&["topic", "pub", "pose", "Pose { x: 5.0, y: 6.0 }"]);
    let received = [(); 3].map(|()| subscriber.recv().unwrap());
    assert_eq!(received, [(1.5, -2.0), (3.0, 4.0), (5.0, 6.0)].map(|(x, y)| Pose { x, y }));

    let last = ["topic", "sub", "pose", "--history", "2", "--count", "2"];
    assert_eq!(dir.shm(&last), "Pose { x: 3.0, y: 4.0 }\nPose { x: 5.0, y: 6.0 }\n");
    let json = dir.shm(&[&last[..], &["--json"]].concat());
    let json: Json = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(json.to_string(), r#"{"sequence":2,"lost":0,"value":{"x":3.0,"y":4.0}}"#);
    let raw = started(|| dir.command(&[&last[..], &["--raw"]].concat()).output()).stdout;
    let numbers: Vec<_> =
        raw.chunks(8).map(|it| f64::from_le_bytes(it.try_into().unwrap())).collect();
    assert_eq!(numbers, [3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn raw_bytes_pass_unchanged_and_all_of_the_input_can_be_one_message() {
    let dir = TestDir::new();
    let bytes: Vec<u8> =
        (0..250_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    dir.shm(&["topic", "create", "frames", "--type", "bytes", "--max-size", "100000"]);
    let history = ["topic", "sub", "frames", "--raw", "--history", "9", "--count"];
    with_input(&dir, &["topic", "pub", "frames", "--raw"], &bytes);
    let raw = started(|| dir.command(&[&history[..], &["3"]].concat()).output());
    assert!(raw.status.success() && raw.stdout == bytes);
    with_input(&dir, &["topic", "pub", "frames", "--whole"], b"one\nmessage");
    let (all, _) = with_input(&dir, &[&history[..], &["4"]].concat(), b"");
    assert!(all.ends_with(b"one\nmessage") && all.len() == bytes.len() + 11);
    let refused = start_with_input(&dir, &["topic", "pub", "frames", "--whole"], &bytes[..100_001]);
    let refused = refused.wait_with_output().unwrap();
    let errors = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{errors}");
    assert!(errors.contains("standard input is more than 100000 B"), "{errors}");
}

#[test]
fn lists_of_values_have_a_length_each() {
    let dir = TestDir::new();
    dir.shm(&["topic", "create", "scan", "--type", "[f32]", "--max-size", "12"]);
    with_input(&dir, &["topic", "pub", "scan"], b"[1.5]\n[]\n[1, 2, 3]\n");
    let all = dir.shm(&["topic", "sub", "scan", "--history", "9", "--count", "3"]);
    assert_eq!(all, "[1.5]\n[]\n[1.0, 2.0, 3.0]\n");
    dir.fails(&["topic", "pub", "scan", "[1, 2, 3, 4]"], 2, "cannot use \"[1, 2, 3, 4]\"");
}

#[test]
fn a_line_that_is_no_message_is_told_with_its_number() {
    let dir = TestDir::new();
    dir.shm(&["topic", "create", "numbers", "--type", "u8"]);
    let child = start_with_input(&dir, &["topic", "pub", "numbers"], b"1\n2\n300\n");
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("cannot use line 3 of standard input"), "{errors}");
    assert_eq!(dir.shm(&["topic", "sub", "numbers", "--history", "9", "--count", "2"]), "1\n2\n");
    dir.fails(&["topic", "pub", "numbers", "x"], 2, "cannot use \"x\"");
}

#[test]
fn what_was_dropped_or_lost_is_told_on_standard_error_and_counted() {
    let dir = TestDir::new();
    for (name, when_full) in [("dropping", "drop-new"), ("overwriting", "overwrite")] {
        let create = ["topic", "create", name, "--type", "u32", "--depth", "4", "--when-full"];
        dir.shm(&[&create[..], &[when_full]].concat());
    }
    let options = Topic::<u32>::options().directory(dir.path());
    let _slow = options.open("dropping").unwrap().subscriber().unwrap();
    let (_, errors) =
        with_input(&dir, &["topic", "pub", "dropping", "--stats"], b"1\n2\n3\n4\n5\n6\n");
    assert!(errors.contains("\"dropping\": dropped 1 so far: a subscriber did not"), "{errors}");
    assert!(errors.contains("\"dropping\": dropped 2 so far"), "{errors}");
    assert!(errors.contains("6 messages, 24 B in ") && errors.contains(", 2 dropped"), "{errors}");
}

#[test]
fn a_slow_subscriber_of_an_overwriting_topic_is_told_how_much_it_lost() {
    let dir = TestDir::new();
    let create = ["topic", "create", "ticks", "--type", "u32", "--depth", "4"];
    dir.shm(&[&create[..], &["--when-full", "overwrite"]].concat());
    let mut subscriber = start_subscriber(&dir, &["topic", "sub", "ticks", "--json"]);
    let topic = Topic::<u32>::options().directory(dir.path()).open("ticks").unwrap();
    let mut publisher = topic.publisher().unwrap();
    // It prints all that it receives, and says of the rest how much it was.
    (0..100_000).for_each(|number| _ = publisher.publish(&number).unwrap());
    let (mut seen, mut lost) = (0, 0);
    while seen + lost < 100_000 {
        let report: Json = serde_json::from_str(&subscriber.line()).unwrap();
        lost += report["lost"].as_u64().unwrap();
        assert_eq!(report["value"], seen + lost, "{report}");
        seen += 1;
    }
}

#[test]
fn a_full_topic_is_told_after_the_timeout_and_a_subscriber_that_stays_away() {
    let dir = TestDir::new();
    dir.shm(&["topic", "create", "ticks", "--type", "u32", "--depth", "2"]);
    let topic = Topic::<u32>::options().directory(dir.path()).open("ticks").unwrap();
    let _slow = topic.subscriber().unwrap();
    let arguments = ["topic", "pub", "ticks", "1", "2", "3", "--timeout", "10ms"];
    dir.fails(&arguments, 8, "has not received the oldest of 2 messages");
    let wait = ["topic", "pub", "ticks", "1", "--subscribers", "2", "--timeout", "10ms"];
    dir.fails(&wait, 8, "1 of 2 subscribers came before the timeout expired");
    dir.fails(&["topic", "sub", "ticks", "--timeout", "10ms"], 8, "no message was published");
    dir.fails(&["topic", "sub", "other"], 3, "\"other\"");
    let absent = ["topic", "pub", "other", "1", "--wait-for-object", "--timeout", "10ms"];
    dir.fails(&absent, 8, "no object of this name was created");
    dir.fails(&["topic", "create", "ticks", "--type", "u32"], 4, "an object has this name");
    dir.fails(&["topic", "create", "x", "--type", "u33"], 2, "u33");
    dir.fails(
        &["topic", "create", "x", "--type", "u32", "--max-size", "8"],
        2,
        "--max-size is for",
    );
}

#[test]
fn a_subscriber_goes_on_after_the_death_of_a_publisher() {
    let dir = TestDir::new();
    dir.shm(&["topic", "create", "log", "--type", "lines"]);
    let mut subscriber = start_subscriber(&dir, &["topic", "sub", "log"]);
    let mut command = dir.command(&["topic", "pub", "log"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut publisher = started(|| command.spawn());
    publisher.stdin.as_mut().unwrap().write_all(b"begun\n").unwrap();
    assert_eq!(subscriber.line(), "begun");
    publisher.kill().unwrap();
    publisher.wait().unwrap();
    let note = subscriber.errors.next().unwrap().unwrap();
    assert!(note.starts_with("shm: \"log\": "), "{note}");
    assert!(note.contains("was a publisher and died"), "{note}");
    dir.shm(&["topic", "pub", "log", "again"]);
    assert_eq!(subscriber.line(), "again");
}

#[test]
fn ls_info_and_create_tell_of_topics() {
    let dir = TestDir::new();
    let create = ["topic", "create", "log", "--type", "lines", "--participants", "9"];
    dir.shm(&create);
    dir.shm(&[&create[..], &["--if-missing"]].concat());
    dir.shm(&["topic", "pub", "log", "one"]);
    let line = dir.table(&["ls", "log"]).pop().unwrap();
    assert_eq!(line[..2], ["log", "topic"], "{line:?}");
    assert!(dir.shm(&["info", "log"]).contains("1 was published"));
    let json = dir.json(&["info", "log"]);
    assert_eq!((&json["sequence"], &json["max_participants"]), (&1.into(), &9.into()), "{json}");
    assert!(dir.shm(&["create", "--help"]).contains("shm topic create"));
}
