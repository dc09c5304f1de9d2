//! `lock`, signals and the environment of the command.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::{Running, TestDir, shm_path};

/// Returns a script that prints a line when it runs, and exits with 5 at `signal`.
fn trap(signal: &str) -> String {
    format!("sleep 1000 & trap \"kill $!; exit 5\" {signal}; echo running; wait")
}

/// Returns the command, with default handling of signals also if this test ignores them.
fn with_default_signals(dir: &TestDir, arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal", &shm_path()]).args(arguments);
    command.env("SHMKIT_DIR", dir.path()).env_remove("NO_COLOR");
    command
}

fn send(signal: &str, whom: &str) {
    assert!(Command::new("kill").args(["-s", signal, "--", whom]).status().unwrap().success());
}

#[test]
fn sigterm_and_sighup_are_forwarded_and_the_lock_is_held_until_the_command_ends() {
    let dir = TestDir::new();
    for signal in ["TERM", "HUP"] {
        let arguments = ["lock", "backup", "--", "sh", "-c", &trap(signal)];
        let mut held = Running::new(&mut with_default_signals(&dir, &arguments));
        assert_eq!(held.line(), "running");
        send(signal, &held.child.id().to_string());
        assert_eq!(held.child.wait().unwrap().code(), Some(5), "{signal}");
        dir.shm(&["lock", "backup", "--no-wait", "--", "true"]);
    }
}

#[test]
fn ctrl_c_is_left_to_the_command() {
    let dir = TestDir::new();
    let arguments = ["lock", "backup", "--", "sh", "-c", &trap("INT")];
    let mut command = with_default_signals(&dir, &arguments);
    // Like a terminal, which sends ctrl-c to all processes of the group.
    let mut held = Running::new(command.process_group(0));
    assert_eq!(held.line(), "running");
    send("INT", &format!("-{}", held.child.id()));
    assert_eq!(held.child.wait().unwrap().code(), Some(5));
    dir.shm(&["lock", "backup", "--no-wait", "--", "true"]);
}

#[test]
fn a_signal_that_ended_the_command_is_in_the_exit_code() {
    let dir = TestDir::new();
    let output = dir.run(&["lock", "backup", "--", "sh", "-c", "kill -s KILL $$"]);
    assert_eq!(output.status.code(), Some(128 + 9));
    dir.shm(&["lock", "backup", "--no-wait", "--", "true"]);
}

#[test]
fn owner_death_is_in_the_environment_of_the_command() {
    let dir = TestDir::new();
    let print = ["lock", "books", "--", "sh", "-c", "echo \"died: $SHMKIT_OWNER_DIED\""];
    dir.leave_inconsistent("books");
    assert_eq!(dir.run(&print).stdout, b"died: 1\n");
    let repaired = dir.run(&["lock", "books", "--mark-consistent", "true"]);
    assert!(repaired.status.success());
    let mut command = dir.command(&print);
    let output = command.env("SHMKIT_OWNER_DIED", "1").output().unwrap();
    assert_eq!(output.stdout, b"died: \n", "it is not about this lock");
}

#[cfg(target_os = "linux")]
#[test]
fn an_ignored_signal_stays_ignored_for_the_command() {
    let dir = TestDir::new();
    let script =
        format!("trap '' HUP; {} lock backup -- grep SigIgn /proc/self/status", shm_path());
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", &script]).env("SHMKIT_DIR", dir.path()).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    let ignored = u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap();
    assert_eq!(ignored & 1, 1, "{line}");
}
