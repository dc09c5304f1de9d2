//! Every subcommand that waits ends at the signals that ask it to, also as process 1.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::{Running, TestDir, shm_path};

const SIGNALS: [(&str, i32); 3] = [("HUP", 1), ("INT", 2), ("TERM", 15)];

/// Objects that [`create_objects`] makes, and the subcommands that wait for them.
const WAITS: [(&str, &[&str]); 5] = [
    ("event", &["event", "wait", "event"]),
    ("barrier", &["barrier", "wait", "barrier"]),
    ("semaphore", &["sem", "consume", "semaphore"]),
    ("semaphore", &["sem", "acquire", "semaphore", "--", "true"]),
    ("lock", &["lock", "lock", "--", "true"]),
];

/// The same for subcommands that leave their object first, and then exit with the code of shells.
const LEAVES: [(&str, &[&str]); 5] = [
    ("topic", &["topic", "sub", "topic"]),
    ("queue", &["queue", "recv", "queue"]),
    ("queue", &["queue", "recv", "queue", "--", "true"]),
    ("call", &["call", "send", "call", "request"]),
    ("call", &["call", "serve", "call", "--", "true"]),
];

/// Returns the holder of the lock.
fn create_objects(dir: &TestDir) -> Running {
    dir.shm(&["event", "create", "event"]);
    dir.shm(&["barrier", "create", "barrier", "2"]);
    dir.shm(&["sem", "create", "semaphore", "0"]);
    dir.leave("value", &7_u64);
    dir.start_holder(&["lock", "lock"])
}

/// Returns the command with default handling of signals, also if this test ignores them: `through`
/// starts it.
fn command(dir: &TestDir, through: &[&str], arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    command.arg("--default-signal").args(through).arg(shm_path()).args(arguments);
    command.env("SHMKIT_DIR", dir.path()).env_remove("NO_COLOR");
    command
}

fn send(signal: &str, process: &str) {
    let kill = Command::new("kill").args(["-s", signal, process]).status();
    assert!(kill.unwrap().success());
}

/// Waits for the end of a process, which is killed if it ignored the signal.
#[track_caller]
fn end_of(process: &mut Running, what: &str, signal: &str) -> ExitStatus {
    const WATCHDOG: Duration = Duration::from_secs(60);
    let begun = Instant::now();
    loop {
        if let Some(status) = process.child.try_wait().unwrap() {
            return status;
        }
        assert!(begun.elapsed() < WATCHDOG, "{what}: ignores SIG{signal}");
        std::thread::yield_now();
    }
}

/// Returns the process id, outside, of process 1 of the namespace that `unshare` made.
#[cfg(target_os = "linux")]
fn process_1(unshare: &Running) -> String {
    let outer = unshare.child.id();
    let children = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children"));
    children.unwrap().trim().into()
}

/// Starts each subcommand that waits, and when it waits gives it to `end`, with what it is.
fn for_each_that_waits(
    dir: &TestDir,
    through: &[&str],
    mut end: impl FnMut(&mut Running, (&str, i32), &str),
) {
    let raw = dir.path().join("raw");
    fs::write(&raw, "raw").unwrap();
    let raw = raw.to_str().unwrap();
    let prints: [&[&str]; 2] =
        [&["watch", "value", "--now"], &["raw", "read", "--file", raw, "--text", "--watch"]];
    for signal in SIGNALS {
        for (object, arguments) in WAITS {
            let mut waiting = Running::new(&mut command(dir, through, arguments));
            dir.await_waiting(object, 1);
            end(&mut waiting, signal, &arguments.join(" "));
        }
        for arguments in prints {
            let mut printing = Running::new(&mut command(dir, through, arguments));
            assert!(["7", "raw"].contains(&&*printing.line()));
            end(&mut printing, signal, &arguments.join(" "));
        }
    }
}

#[test]
fn a_command_that_waits_is_ended_by_a_signal() {
    let dir = TestDir::new();
    let _holder = create_objects(&dir);
    for_each_that_waits(&dir, &[], |waiting, (signal, number), what| {
        send(signal, &waiting.child.id().to_string());
        assert_eq!(end_of(waiting, what, signal).signal(), Some(number), "{what}: {signal}");
    });
}

#[test]
fn a_participant_leaves_at_a_signal_and_is_not_taken_for_dead() {
    let dir = TestDir::new();
    dir.shm(&["topic", "create", "topic", "--type", "lines"]);
    dir.shm(&["queue", "create", "queue", "--type", "lines"]);
    dir.shm(&["call", "create", "call", "--request", "lines", "--response", "lines"]);
    for (signal, number) in SIGNALS {
        for (object, arguments) in LEAVES {
            let mut waiting = Running::new(&mut command(&dir, &[], arguments));
            // It is prepared before it takes part.
            dir.await_object(object, |it| !it.participants.is_empty());
            send(signal, &waiting.child.id().to_string());
            let what = arguments.join(" ");
            assert_eq!(end_of(&mut waiting, &what, signal).code(), Some(128 + number), "{what}");
            assert!(waiting.errors.next().is_none());
            let left = dir.await_object(object, |_| true);
            assert!(left.participants.is_empty() && left.deaths == 0, "{left:?}");
        }
    }
}

#[test]
fn an_abort_that_another_process_sends_ends_the_command() {
    const SIGABRT: i32 = 6;
    let dir = TestDir::new();
    dir.shm(&["event", "create", "event"]);
    let mut waiting = Running::new(&mut command(&dir, &[], &["event", "wait", "event"]));
    dir.await_waiting("event", 1);
    send("ABRT", &waiting.child.id().to_string());
    assert_eq!(end_of(&mut waiting, "event wait", "ABRT").signal(), Some(SIGABRT));
}

/// The system ignores the signals for which process 1 of a container has no handler.
#[cfg(target_os = "linux")]
#[test]
fn process_1_exits_at_a_signal_with_the_code_of_shells() {
    const NAMESPACE: [&str; 4] = ["unshare", "--pid", "--fork", "--kill-child"];
    let [unshare, options @ ..] = NAMESPACE;
    if !Command::new(unshare).args(options).arg("true").status().is_ok_and(|it| it.success()) {
        return crate::running::skip("a PID namespace: the system refuses it");
    }
    let dir = TestDir::new();
    let _holder = create_objects(&dir);
    for_each_that_waits(&dir, &NAMESPACE, |waiting, (signal, number), what| {
        send(signal, &process_1(waiting));
        let status = end_of(waiting, what, signal);
        assert_eq!(status.code(), Some(128 + number), "{what}: {signal}");
    });
    let arguments = ["clock", "time", "--every", "1ms"];
    let mut clock = Running::new(&mut command(&dir, &NAMESPACE, &arguments));
    dir.await_clock("time");
    send("TERM", &process_1(&clock));
    assert!(end_of(&mut clock, "clock", "TERM").success());
}

#[test]
fn a_signal_that_the_command_was_started_to_ignore_stays_ignored() {
    let dir = TestDir::new();
    let script = format!("trap '' HUP ABRT; exec {} clock time --every 1ms", shm_path());
    let mut shell = Command::new("env");
    shell.args(["--default-signal", "sh", "-c", &script]).env("SHMKIT_DIR", dir.path());
    let mut clock = Running::new(&mut shell);
    dir.await_clock("time");
    for signal in ["HUP", "ABRT"] {
        send(signal, &clock.child.id().to_string());
    }
    let time = dir.latest::<crate::Time>().open("time").unwrap();
    let mut changes = time.changes();
    (0..10).for_each(|_| _ = changes.next_timeout(std::time::Duration::from_secs(60)).unwrap());
    send("TERM", &clock.child.id().to_string());
    assert!(clock.child.wait().unwrap().success());
}
