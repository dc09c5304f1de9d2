//! `shm queue`: each message to one receiver, and to a command that acknowledges it.

use shmkit::{Queue, Shareable};

use crate::topics::with_input;
use crate::{Json, TestDir, shm_path};

#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Alarm {
    code: u32,
}

fn counts(dir: &TestDir, name: &str) -> (Json, Json) {
    let json = dir.json(&["info", name]);
    (json["ready"].clone(), json["dead"].clone())
}

#[test]
fn each_line_goes_to_one_receiver() {
    let dir = TestDir::new();
    dir.shm(&["queue", "create", "jobs", "--type", "lines"]);
    let (_, stats) = with_input(&dir, &["queue", "send", "jobs", "--stats"], b"a\nb\n\nd\n");
    assert!(stats.contains("4 messages, 3 B in "), "{stats}");
    assert_eq!(dir.shm(&["queue", "recv", "jobs", "--count", "2"]), "a\nb\n");
    assert_eq!(dir.shm(&["queue", "recv", "jobs", "--count", "2"]), "\nd\n");
    dir.fails(&["queue", "recv", "jobs", "--timeout", "10ms"], 8, "no message was sent");
    let output = dir.run(&["queue", "recv", "jobs", "--timeout", "0s"]);
    assert_eq!(output.status.code(), Some(8));
    // The last receiver that gets more than it may take leaves the rest.
    dir.shm(&["queue", "send", "jobs", "1", "2", "3"]);
    assert_eq!(dir.shm(&["queue", "recv", "jobs", "--count", "1", "--ack", "received"]), "1\n");
    assert_eq!(counts(&dir, "jobs").0, 2);
}

#[test]
fn values_have_priorities_and_a_program_shares_them() {
    let dir = TestDir::new();
    dir.shm(&["queue", "create", "alarms", "--type", "Alarm { code: u32 }", "--priorities"]);
    dir.shm(&["queue", "send", "alarms", "{\"code\": 1}"]);
    dir.shm(&["queue", "send", "alarms", "--priority", "9", "Alarm { code: 2 }"]);
    let json = dir.shm(&["queue", "recv", "alarms", "--count", "1", "--json"]);
    assert_eq!(json.trim_end(), r#"{"priority":9,"deliveries":1,"value":{"code":2}}"#);
    let queue = Queue::<Alarm>::options().directory(dir.path()).open("alarms").unwrap();
    assert_eq!(*queue.receiver().unwrap().recv().unwrap(), Alarm { code: 1 });
    dir.shm(&["queue", "create", "plain", "--type", "u8"]);
    dir.fails(&["queue", "send", "plain", "--priority", "1", "7"], 10, "without priorities");
    assert_eq!(counts(&dir, "plain").0, 0);
}

#[test]
fn a_full_queue_is_told_after_the_timeout() {
    let dir = TestDir::new();
    dir.shm(&["queue", "create", "jobs", "--type", "u8", "--depth", "2"]);
    let send = ["queue", "send", "jobs", "1", "2", "3", "--timeout", "10ms"];
    dir.fails(&send, 8, "cannot send to \"jobs\"");
    assert_eq!(counts(&dir, "jobs").0, 2);
}

/// A command that succeeds, or fails, on every system.
fn ends(well: bool) -> Vec<String> {
    let last = if well { "--version" } else { "fly" };
    vec!["--".into(), shm_path(), last.into()]
}

fn receive(dir: &TestDir, options: &[&str], well: bool) -> (Option<i32>, String) {
    let command = ends(well);
    let command = command.iter().map(String::as_str);
    let arguments: Vec<_> = ["queue", "recv", "jobs"]
        .into_iter()
        .chain(options.iter().copied())
        .chain(command)
        .collect();
    let output = dir.run(&arguments);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_command_acknowledges_a_message_by_its_exit_code() {
    let dir = TestDir::new();
    dir.shm(&["queue", "create", "jobs", "--type", "lines", "--delivery-limit", "2"]);
    dir.shm(&["queue", "send", "jobs", "easy", "hard"]);
    let (code, errors) = receive(&dir, &["--count", "1"], true);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(counts(&dir, "jobs"), (1.into(), 0.into()));
    // `fly` is no subcommand.
    let (code, errors) = receive(&dir, &["--count", "2"], false);
    assert!(code == Some(0) && errors.contains("ended with exit code 2, delivery 2"), "{errors}");
    assert_eq!(counts(&dir, "jobs"), (0.into(), 1.into()));
    let letters = dir.json(&["queue", "dead", "list", "jobs"]);
    let number = letters[0]["number"].to_string();
    assert_eq!((&letters[0]["value"], &letters[0]["deliveries"]), (&"hard".into(), &2.into()));
    let table = dir.table(&["queue", "dead", "list", "jobs"]);
    assert_eq!(table[0], ["NUMBER", "PRIORITY", "DELIVERIES", "MESSAGE"]);
    assert_eq!(table[1], [&number, "0", "2", "hard"]);
    dir.fails(&["queue", "dead", "requeue", "jobs", "999999"], 3, "the number 999999 is set aside");
    dir.fails(&["queue", "dead", "drop", "jobs"], 2, "--all");
    dir.shm(&["queue", "dead", "requeue", "jobs", &number]);
    assert_eq!(counts(&dir, "jobs"), (1.into(), 0.into()));
    receive(&dir, &["--count", "1"], false);
    dir.shm(&["queue", "dead", "drop", "jobs", "--all"]);
    assert_eq!(counts(&dir, "jobs"), (0.into(), 0.into()));
    let none = dir.run(&["queue", "dead", "list", "jobs"]);
    assert!(none.status.success() && none.stdout.is_empty());
}

#[test]
fn a_command_that_cannot_be_run_leaves_the_message_in_the_queue() {
    let dir = TestDir::new();
    dir.shm(&["queue", "create", "jobs", "--type", "lines"]);
    dir.shm(&["queue", "send", "jobs", "one"]);
    dir.fails(&["queue", "recv", "jobs", "--", "no-such-command-of-shm"], 127, "cannot run");
    assert_eq!(counts(&dir, "jobs").0, 1);
}

#[cfg(unix)]
mod unix;
