//! `shm call`: requests from and to standard streams, beside programs that use the library.

use std::process::Stdio;
use std::thread;

use shmkit::{Call, ErrorKind, FixedVec, Shareable};

use crate::running::started;
use crate::topics::with_input;
use crate::{Running, TestDir, shm_path};

#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Operation {
    left: f64,
    right: f64,
}

const OPERATION: &str = "struct Operation { left: f64, right: f64 }";

fn create(dir: &TestDir, request: &str, response: &str) {
    dir.shm(&["call", "create", "calc", "--request", request, "--response", response]);
}

/// Starts a server that runs this command of `shm` for each request.
fn start_server(dir: &TestDir, options: &[&str], command: &[&str]) -> Running {
    let path = shm_path();
    let server =
        dir.start(&[&["call", "serve", "calc"], options, &["--", &path], command].concat());
    dir.await_object("calc", |it| it.parts[0].state.number("servers") == Some(1));
    server
}

#[test]
fn a_program_answers_values_that_are_sent_as_text_and_json() {
    let dir = TestDir::new();
    create(&dir, OPERATION, "f64");
    let call = Call::<Operation, f64>::options().directory(dir.path()).open("calc").unwrap();
    let server = call.server().unwrap();
    let serving = thread::spawn(move || {
        for request in server.iter().take(4) {
            let mut request = request.unwrap();
            let Operation { left, right } = *request;
            request.respond_part(&(left + right)).unwrap();
            if left < 0.0 {
                request.respond_part(&(left * right)).unwrap();
            }
            request.finish().unwrap();
        }
    });
    let sum = dir.shm(&["call", "send", "calc", "Operation { left: 2.0, right: 3.5 }"]);
    assert_eq!(sum, "5.5\n");
    let lines = b"{\"left\": 1, \"right\": 2}\n\n{\"left\": -1, \"right\": 2}\n";
    let (all, _) = with_input(&dir, &["call", "send", "calc", "--json"], lines);
    let expected = "{\"request\":1,\"value\":3.0}\n{\"request\":2,\"value\":1.0}\n\
                    {\"request\":2,\"value\":-2.0}\n";
    assert_eq!(String::from_utf8(all).unwrap(), expected);
    let bytes = [1.0_f64.to_le_bytes(), 2.5_f64.to_le_bytes()].concat();
    let (sum, stats) = with_input(&dir, &["call", "send", "calc", "--raw", "--stats"], &bytes);
    assert_eq!(sum, 3.5_f64.to_le_bytes());
    assert!(stats.contains("1 messages, 8 B in "), "{stats}");
    serving.join().unwrap();
    dir.fails(&["call", "send", "calc", "7"], 2, "cannot use \"7\"");
}

#[test]
fn a_command_answers_a_program_and_its_request_is_on_standard_input() {
    let dir = TestDir::new();
    create(&dir, "lines", "u64");
    dir.leave("value", &7_u64);
    let call = Call::<FixedVec<u8, 4096>, u64>::options().directory(dir.path());
    let call = call.open("calc").unwrap();
    let client = call.client().unwrap();
    let mut line = FixedVec::new();
    line.extend_from_slice(b"a request").unwrap();
    let mut server = start_server(&dir, &["--count", "1"], &["get", "value"]);
    assert_eq!(client.call(&line).unwrap(), 7);
    assert!(server.child.wait().unwrap().success());

    dir.shm(&["topic", "create", "log", "--type", "lines"]);
    let _server = start_server(&dir, &[], &["topic", "pub", "log"]);
    // The command prints nothing, which is no number.
    assert_eq!(client.call(&line).unwrap_err().kind(), ErrorKind::Refused);
    let history = ["topic", "sub", "log", "--history", "1", "--count", "1"];
    assert_eq!(dir.shm(&history), "a request\n");
}

#[test]
fn each_line_that_the_command_prints_is_a_response() {
    let dir = TestDir::new();
    create(&dir, "lines", "lines");
    dir.shm(&["queue", "create", "jobs", "--type", "lines"]);
    let jobs: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    let jobs: Vec<_> = jobs.iter().map(String::as_str).collect();
    dir.shm(&[&["queue", "send", "jobs"], &jobs[..]].concat());
    // More than wait for the client at a time.
    let _server = start_server(&dir, &["--stream"], &["queue", "recv", "jobs", "--count", "20"]);
    let responses = dir.shm(&["call", "send", "calc", "all", "--timeout", "60s"]);
    assert_eq!(responses.lines().collect::<Vec<_>>(), jobs);
}

#[test]
fn a_command_that_fails_refuses_the_request_in_words() {
    let dir = TestDir::new();
    create(&dir, "lines", "u8");
    let mut server = start_server(&dir, &[], &["fly"]);
    dir.fails(&["call", "send", "calc", "one"], 11, "ended the request without an answer");
    let note = server.errors.find(|line| line.as_ref().unwrap().contains("calc")).unwrap();
    let note = note.unwrap();
    assert!(note.starts_with("shm: a request of \"calc\" was not answered: "), "{note}");
    assert!(note.ends_with("ended with exit code 2"), "{note}");
    server.kill();
    // What it prints is too large for the type.
    dir.leave("value", &700_u64);
    let mut server = start_server(&dir, &[], &["get", "value"]);
    dir.fails(&["call", "send", "calc", "one"], 11, "ended the request without an answer");
    let note = server.errors.next().unwrap().unwrap();
    assert!(note.contains("cannot use the output of the command: "), "{note}");
}

#[test]
fn a_command_that_cannot_be_run_ends_the_server() {
    let dir = TestDir::new();
    create(&dir, "lines", "lines");
    let mut server = dir.start(&["call", "serve", "calc", "--", "no-such-command-of-shm"]);
    dir.fails(&["call", "send", "calc", "one"], 11, "ended the request without an answer");
    assert_eq!(server.child.wait().unwrap().code(), Some(127));
}

#[test]
fn a_missing_server_is_told_after_the_timeout() {
    let dir = TestDir::new();
    create(&dir, "lines", "lines");
    let send = ["call", "send", "calc", "one", "--timeout", "10ms"];
    dir.fails(&send, 8, "there is no server");
    let long = "x".repeat(5000);
    dir.fails(&["call", "send", "calc", &long], 2, "it has 5000 B");
    dir.fails(&["call", "send", "other", "one"], 3, "\"other\"");
    let serve = ["call", "serve", "calc", "--timeout", "10ms", "--", "no-command"];
    dir.fails(&serve, 8, "no request was sent");
    let again = ["call", "create", "calc", "--request", "lines", "--response", "lines"];
    dir.fails(&again, 4, "an object has this name");
    dir.shm(&[&again[..], &["--if-missing"]].concat());
}

/// Starts a server whose command runs until it is killed, and a client of it, and waits until the
/// server has the request.
fn start_endless(dir: &TestDir) -> (Running, std::process::Child) {
    create(dir, "lines", "lines");
    dir.shm(&["event", "create", "never"]);
    let server = start_server(dir, &[], &["event", "wait", "never"]);
    let mut client = dir.command(&["call", "send", "calc", "one"]);
    let client = started(|| client.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn());
    dir.await_object("calc", |it| it.parts[0].state.number("begun") == Some(1));
    (server, client)
}

#[test]
fn a_client_of_a_killed_server_is_told_at_once() {
    let dir = TestDir::new();
    let (mut server, client) = start_endless(&dir);
    server.kill();
    let output = client.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(9), "{errors}");
    assert!(errors.contains("died before the request was answered"), "{errors}");
}

#[test]
fn ls_info_top_and_doctor_tell_of_calls() {
    let dir = TestDir::new();
    let (mut server, mut client) = start_endless(&dir);
    let line = dir.table(&["ls", "calc"]).pop().unwrap();
    assert_eq!(line[..2], ["calc", "call"], "{line:?}");
    assert!(line.contains(&"0 waiting, 1 begun, of 64".into()), "{line:?}");
    let info = dir.shm(&["info", "calc"]);
    assert!(info.contains("has 1 request") && info.contains("response type"), "{info}");
    let json = dir.json(&["info", "calc"]);
    assert_eq!((&json["begun"], &json["max_participants"]), (&1.into(), &1024.into()), "{json}");
    let top = dir.shm(&["top", "--json", "--interval", "1ms", "--times", "1"]);
    let top: crate::Json = serde_json::from_str(&top).unwrap();
    let figures = &top[0]["figures"];
    assert_eq!((&figures["lag"], &figures["depth"]), (&0.into(), &64.into()), "{top}");
    assert!(figures["rate_per_second"].is_f64() && figures["lost"].is_null(), "{top}");
    client.kill().unwrap();
    client.wait().unwrap();
    server.kill();
    let (findings, code) = dir.doctor(&[]);
    assert!(findings.contains("with 1 of the requests of "), "{findings}");
    assert_eq!(code, Some(1));
    dir.doctor(&["--fix"]);
    assert_eq!(dir.json(&["info", "calc"])["given_up"], 0);
    assert_eq!(dir.doctor(&[]).1, Some(0));
}

#[cfg(unix)]
mod unix;
