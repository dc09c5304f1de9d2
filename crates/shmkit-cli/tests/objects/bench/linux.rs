//! `bench` and death, ctrl-c and sandboxes.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use super::{SHORT, check_results, row_of, why_skipped};
use crate::running::skip;
use crate::sandbox::{confine, filter};
use crate::{Running, TestDir, shm_path};

/// Returns the command, with default handling of signals also if this test ignores them.
fn command(dir: &TestDir, arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal", &shm_path(), "bench"]).args(arguments);
    command.env("SHMKIT_DIR", dir.path());
    command
}

/// Returns the processes that a process has started.
fn children(of: u32) -> Vec<String> {
    let list = fs::read_to_string(format!("/proc/{of}/task/{of}/children"));
    list.unwrap_or_default().split_whitespace().map(Into::into).collect()
}

/// Waits until both processes pass messages, and returns them: they are ready when they have been
/// told to go, and then each waits for the other one again and again.
fn await_both(bench: &Running) -> Vec<String> {
    let switches = |process: &String| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find(|it| it.starts_with("voluntary_ctxt_switches"));
        line.and_then(|it| it.split_whitespace().last()?.parse::<u64>().ok()).unwrap_or(0)
    };
    loop {
        let both = children(bench.child.id());
        if both.len() == 2 && both.iter().all(|it| switches(it) > 100) {
            return both;
        }
        std::thread::yield_now();
    }
}

fn send(signal: &str, process: &str) {
    let kill = Command::new("kill").args(["-s", signal, "--", process]).status();
    assert!(kill.unwrap().success());
}

fn left(dir: &TestDir) -> usize {
    fs::read_dir(dir.path()).unwrap().count()
}

const LONG: [&str; 6] = ["--seconds", "100000", "--rounds", "1", "--sizes", "64"];

#[test]
fn a_killed_process_ends_the_comparison_in_words() {
    for name in [
        "pipe",
        "unix-datagram",
        "posix-queue",
        "system-v-queue",
        "memory-semaphore",
        "memory-signal",
        "memory-eventfd",
        "tcp",
        "shmkit-pipe",
        "shmkit-call",
    ] {
        for killed in [0, 1] {
            let dir = TestDir::new();
            let mut command = command(&dir, &[&["--only", name], &LONG[..]].concat());
            let mut bench = Running::new(&mut command);
            send("KILL", &await_both(&bench)[killed]);
            let status = bench.child.wait().unwrap();
            let errors: Vec<_> = bench.errors.by_ref().map(Result::unwrap).collect();
            let words = errors.last().unwrap();
            assert_eq!(status.code(), Some(9), "{name}: {errors:?}");
            let part = ["first", "second"][killed];
            let end = format!("the {part} process ended too early: signal: 9 (SIGKILL)");
            assert!(words.ends_with(&end), "{name}: {errors:?}");
            assert_eq!(left(&dir), 0, "{name}");
        }
    }
}

/// Returns the number of the System V message queue, and waits until there is one.
fn await_queue(dir: &TestDir) -> (PathBuf, String) {
    loop {
        let entries = fs::read_dir(dir.path()).unwrap();
        for entry in entries {
            let files = fs::read_dir(entry.unwrap().path().join("current"));
            for file in files.into_iter().flatten().flatten() {
                let name = file.file_name().into_string().unwrap();
                if let Some(number) = name.strip_prefix("system-v-queue-") {
                    return (file.path(), number.to_owned());
                }
            }
        }
        std::thread::yield_now();
    }
}

fn queue_exists(number: &str) -> bool {
    let queues = fs::read_to_string("/proc/sysvipc/msg").unwrap();
    queues.lines().any(|line| line.split_whitespace().nth(1) == Some(number))
}

#[test]
fn ctrl_c_removes_what_it_made() {
    let dir = TestDir::new();
    let mut command = command(&dir, &[&["--only", "system-v-queue"], &LONG[..]].concat());
    // Like a terminal, which sends ctrl-c to all processes of the group.
    let mut bench = Running::new(command.process_group(0));
    let (_, queue) = await_queue(&dir);
    await_both(&bench);
    assert!(queue_exists(&queue));
    send("INT", &format!("-{}", bench.child.id()));
    assert_eq!(bench.child.wait().unwrap().code(), Some(130));
    assert!(bench.errors.by_ref().all(|it| it.unwrap().starts_with("shm: round ")), "no error");
    assert_eq!((left(&dir), queue_exists(&queue)), (0, false));
}

#[test]
fn its_processes_end_with_it_and_remove_what_it_made() {
    let dir = TestDir::new();
    let arguments = [&["--only", "system-v-queue"], &LONG[..]].concat();
    let mut bench = Running::new(&mut command(&dir, &arguments));
    let (_, queue) = await_queue(&dir);
    let both = await_both(&bench);
    bench.kill();
    while queue_exists(&queue) || left(&dir) > 0 {
        std::thread::yield_now();
    }
    // One that nobody waits for has no program any more.
    let is_alive = |process: &String| fs::read_link(format!("/proc/{process}/exe")).is_ok();
    while both.iter().any(is_alive) {
        std::thread::yield_now();
    }
}

#[test]
fn what_a_sandbox_refuses_is_skipped_in_words() {
    let dir = TestDir::new();
    let mut probe = Command::new(shm_path());
    let allowed = filter(libc::SYS_kexec_load, libc::EPERM);
    if confine(probe.arg("--version"), &allowed).output().is_err() {
        return skip("a sandbox");
    }
    for (call, name) in [
        (libc::SYS_mq_open, "posix-queue"),
        (libc::SYS_msgget, "system-v-queue"),
        (libc::SYS_eventfd2, "memory-eventfd"),
        (libc::SYS_rt_sigqueueinfo, "memory-signal"),
        (libc::SYS_connect, "tcp"),
    ] {
        let only = format!("{name},shmkit-topic");
        let arguments = ["bench", "--json", "--sizes", "64", "--only", &only];
        let mut command = dir.command(&[&arguments, &SHORT[..]].concat());
        let output = confine(&mut command, &filter(call, libc::EPERM)).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {errors}");
        let report = serde_json::from_slice(&output.stdout).unwrap();
        check_results(&report);
        let results = report["results"].as_array().unwrap();
        let why = results.iter().find(|it| it["mechanism"] == name);
        let why = why_skipped(&report, why.unwrap()).unwrap();
        assert!(why.contains("Operation not permitted"), "{name}: {why}");
        let topic = results.iter().find(|it| row_of(it) == "shmkit-topic asleep");
        assert_eq!(why_skipped(&report, topic.unwrap()), None, "{name}");
        assert_eq!(left(&dir), 0, "{name}");
        // Alone, it is the whole result.
        let mut alone =
            dir.command(&[&["bench", "--only", name, "--sizes", "64"], &SHORT[..]].concat());
        let output = confine(&mut alone, &filter(call, libc::EPERM)).output().unwrap();
        assert_eq!(output.status.code(), Some(10), "{name}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&format!("- {name}, skipped: ")), "{text}");
    }
}
