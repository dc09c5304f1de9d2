//! `lock`, signals and what a shell sees.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::{Place, Running, shm_itself};

/// A script that says that it is there, and ends with 5 at `signal`.
fn trap(signal: &str) -> String {
    format!("sleep 1000 & trap \"kill $!; exit 5\" {signal}; echo there; wait")
}

/// The command, which heeds signals also where this test was started with them ignored.
fn heeding_signals(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal", &shm_itself()]).args(arguments);
    command.env("SHMKIT_DIR", place.path()).env_remove("NO_COLOR");
    command
}

fn send(signal: &str, whom: &str) {
    assert!(Command::new("kill").args(["-s", signal, "--", whom]).status().unwrap().success());
}

#[test]
fn asked_to_end_it_hands_that_on_and_holds_the_lock_until_the_command_has_ended() {
    let place = Place::new();
    for signal in ["TERM", "HUP"] {
        let arguments = ["lock", "backup", "--", "sh", "-c", &trap(signal)];
        let mut held = Running::new(&mut heeding_signals(&place, &arguments));
        assert_eq!(held.line(), "there");
        send(signal, &held.child.id().to_string());
        assert_eq!(held.child.wait().unwrap().code(), Some(5), "{signal}");
        place.shm(&["lock", "backup", "--no-wait", "--", "true"]);
    }
}

#[test]
fn ctrl_c_is_left_to_the_command() {
    let place = Place::new();
    let arguments = ["lock", "backup", "--", "sh", "-c", &trap("INT")];
    let mut command = heeding_signals(&place, &arguments);
    // As a terminal has it: ctrl-c goes to all processes of the group.
    let mut held = Running::new(command.process_group(0));
    assert_eq!(held.line(), "there");
    send("INT", &format!("-{}", held.child.id()));
    assert_eq!(held.child.wait().unwrap().code(), Some(5));
    place.shm(&["lock", "backup", "--no-wait", "--", "true"]);
}

#[test]
fn a_signal_that_ended_the_command_is_in_the_exit_code() {
    let place = Place::new();
    let output = place.run(&["lock", "backup", "--", "sh", "-c", "kill -s KILL $$"]);
    assert_eq!(output.status.code(), Some(128 + 9));
    place.shm(&["lock", "backup", "--no-wait", "--", "true"]);
}

#[test]
fn the_command_is_told_of_a_death_in_its_environment() {
    let place = Place::new();
    let says = ["lock", "books", "--", "sh", "-c", "echo \"died: $SHMKIT_OWNER_DIED\""];
    place.leave_marked("books");
    assert_eq!(place.run(&says).stdout, b"died: 1\n");
    let mended = place.run(&["lock", "books", "--mark-consistent", "true"]);
    assert!(mended.status.success());
    let mut command = place.command(&says);
    let output = command.env("SHMKIT_OWNER_DIED", "1").output().unwrap();
    assert_eq!(output.stdout, b"died: \n", "it is about this lock");
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_ignored_stays_so_for_the_command() {
    let place = Place::new();
    let script =
        format!("trap '' HUP; {} lock backup -- grep SigIgn /proc/self/status", shm_itself());
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", &script]).env("SHMKIT_DIR", place.path()).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let ignored = u64::from_str_radix(told.split_whitespace().last().unwrap(), 16).unwrap();
    assert_eq!(ignored & 1, 1, "{told}");
}
