//! Servers, with commands of a Unix shell.

use std::process::Command;

use super::create;
use crate::topics::with_input;
use crate::{Running, TestDir};

fn serve(dir: &TestDir, options: &[&str], script: &str) -> Running {
    dir.start(&[&["call", "serve", "calc"], options, &["--", "sh", "-c", script]].concat())
}

#[test]
fn requests_and_responses_are_as_large_as_they_may_be() {
    let dir = TestDir::new();
    let sizes = ["--max-request-size", "1000000", "--max-response-size", "1000000"];
    let types = ["--request", "bytes", "--response", "bytes", "--parts", "1", "--in-flight", "2"];
    dir.shm(&[&["call", "create", "calc"], &sizes[..], &types].concat());
    let _server = serve(&dir, &["--raw"], "cat");
    let bytes: Vec<u8> =
        (0..1_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    // More than pipes of the system hold.
    let (all, _) = with_input(&dir, &["call", "send", "calc", "--raw"], &bytes);
    assert!(all == bytes);
    let request = ["call", "send", "calc", "--json", "\"text\"", "[1, 255]"];
    let expected = "{\"request\":1,\"value\":\"text\"}\n{\"request\":2,\"value\":[1,255]}\n";
    assert_eq!(dir.shm(&request), expected);
}

#[test]
fn a_stream_is_passed_on_while_the_command_runs_and_ends_when_the_client_leaves() {
    let dir = TestDir::new();
    create(&dir, "lines", "u64");
    let script = "trap 'echo ended >&2' EXIT; trap '' PIPE; at=0; \
                  while at=$((at + 1)) && echo $at; do :; done 2>/dev/null";
    let mut server = serve(&dir, &["--stream"], script);
    let mut client = dir.start(&["call", "send", "calc", "go"]);
    let lines: Vec<_> = (0..100).map(|_| client.line()).collect();
    assert_eq!((lines[0].as_str(), lines[99].as_str()), ("1", "100"));
    let id = client.child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    assert_eq!(client.child.wait().unwrap().code(), Some(143));
    let notes: Vec<_> = server.errors.by_ref().take(2).map(Result::unwrap).collect();
    assert_eq!(notes[0], "ended");
    assert!(notes[1].contains("the client does not wait for it any more"), "{notes:?}");
}

#[test]
fn at_sigterm_the_request_is_answered_and_no_other_is_begun() {
    let dir = TestDir::new();
    create(&dir, "lines", "lines");
    let script = "trap 'echo asked; exit 0' TERM; echo begun >&2; while :; do sleep 0.01; done";
    let mut server = serve(&dir, &[], script);
    let mut client = dir.start(&["call", "send", "calc", "one"]);
    assert_eq!(server.errors.next().unwrap().unwrap(), "begun");
    let id = server.child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    assert_eq!(client.line(), "asked");
    assert_eq!(server.child.wait().unwrap().code(), Some(143));
}
