//! Workers, with commands of a Unix shell.

use std::process::Command;

use super::counts;
use crate::TestDir;
use crate::topics::with_input;

#[test]
fn the_message_is_on_the_standard_input_of_the_command_and_facts_are_in_its_environment() {
    let dir = TestDir::new();
    dir.shm(&["queue", "create", "jobs", "--type", "lines", "--priorities"]);
    dir.shm(&["queue", "send", "jobs", "--priority", "3", "one", "two"]);
    let script = "echo \"$SHMKIT_PRIORITY $SHMKIT_DELIVERIES $(cat)\"";
    let recv = ["queue", "recv", "jobs", "--count", "2", "--", "sh", "-c", script];
    assert_eq!(dir.shm(&recv), "3 1 one\n3 1 two\n");
    // It need not read its input.
    dir.shm(&["queue", "send", "jobs", &"x".repeat(4000)]);
    assert_eq!(dir.shm(&["queue", "recv", "jobs", "--count", "1", "--", "true"]), "");
}

#[test]
fn a_killed_worker_gives_its_message_to_the_next_one() {
    let dir = TestDir::new();
    dir.shm(&["queue", "create", "jobs", "--type", "lines"]);
    dir.shm(&["queue", "send", "jobs", "one"]);
    let script = "cat; echo; exec sleep 600";
    let mut worker = dir.start(&["queue", "recv", "jobs", "--", "sh", "-c", script]);
    assert_eq!(worker.line(), "one");
    worker.kill();
    let json = dir.shm(&["queue", "recv", "jobs", "--count", "1", "--json"]);
    assert_eq!(json.trim_end(), r#"{"priority":0,"deliveries":2,"value":"one"}"#);
}

#[test]
fn at_sigterm_the_command_gets_it_and_no_other_message_is_begun() {
    let dir = TestDir::new();
    dir.shm(&["queue", "create", "jobs", "--type", "lines"]);
    dir.shm(&["queue", "send", "jobs", "one", "two"]);
    let script = "trap 'echo asked; exit 0' TERM; echo begun; while :; do sleep 0.01; done";
    let mut worker = dir.start(&["queue", "recv", "jobs", "--", "sh", "-c", script]);
    assert_eq!(worker.line(), "begun");
    let id = worker.child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    assert_eq!(worker.line(), "asked");
    assert_eq!(worker.child.wait().unwrap().code(), Some(143));
    // The first message was acknowledged, because the command ended well.
    assert_eq!(counts(&dir, "jobs").0, 1);
    assert_eq!(dir.shm(&["queue", "recv", "jobs", "--count", "1"]), "two\n");
}

#[test]
fn a_reader_that_has_read_enough_ends_the_receiver_and_the_rest_stays() {
    let dir = TestDir::new();
    dir.shm(&["queue", "create", "jobs", "--type", "lines", "--depth", "300"]);
    // More than a pipe of the system holds.
    let lines = format!("{}\n", "x".repeat(2000)).repeat(300);
    with_input(&dir, &["queue", "send", "jobs"], lines.as_bytes());
    let script = format!("{} queue recv jobs | head -c 1", crate::shm_path());
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", &script]).env("SHMKIT_DIR", dir.path()).output().unwrap();
    assert_eq!((output.stdout, output.stderr), (b"x".to_vec(), Vec::new()));
    assert!(counts(&dir, "jobs").0.as_u64().unwrap() > 100);
}
