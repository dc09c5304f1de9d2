//! Full file systems and devices, and user numbers.

use std::fs;
use std::process::{Command, Output};

use super::run;
use crate::{Unique, ended, output_of, raw, shm, skip, start};

/// Runs a script where raw memory has 64 KiB in all. Its first argument is the command.
fn with_small_memory(script: &str) -> Option<Output> {
    let script = format!("mount -t tmpfs -o size=64k tmpfs /dev/shm || exit 77\n{script}");
    let shm = assert_cmd::cargo::cargo_bin("shm");
    // The mount is private to this script.
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, "sh", shm.to_str().unwrap()]);
    let output = command.output().unwrap();
    if matches!(output.status.code(), Some(1 | 77)) {
        skip("a full file system: only root can mount a small one");
        return None;
    }
    Some(output)
}

#[test]
fn creation_fails_on_a_full_file_system_and_leaves_nothing() {
    let script = "\"$1\" raw create small --size 32K || exit 78
                  \"$1\" raw create large --size 1M; code=$?
                  test \"$(ls /dev/shm)\" = small || exit 79
                  \"$1\" raw create fits --size 32K || exit 80
                  exit $code";
    let Some(output) = with_small_memory(script) else { return };
    ended(&output, 6, "cannot create \"large\": no space for 1048576 bytes");
}

#[test]
fn bytes_that_the_file_system_has_no_space_for_are_an_error() {
    let script = "truncate -s 1M /dev/shm/sparse
                  head -c 1M /dev/zero > /dev/shm/full
                  for command in read 'read --watch' dump 'dump --json' 'write --text x'; do
                      \"$1\" raw $command sparse; echo $?
                      \"$1\" raw $command --file /dev/shm/sparse; echo $?
                  done";
    let Some(output) = with_small_memory(script) else { return };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "6\n".repeat(10), "{errors}");
    assert_eq!(errors.matches("the file system has no space for a page").count(), 10, "{errors}");
}

#[test]
fn memory_that_is_truncated_during_an_access_ends_the_command_in_words() {
    let name = Unique::new();
    raw(&["create", &name, "--size", "8", "--fill", "7"]);
    let mut watcher = start(&["raw", "read", &name, "--watch"]);
    assert_eq!(watcher.line(), "0707070707070707");
    // Stands for the signal of an access just after the truncation, which no test can time.
    let watcher_id = rustix::process::Pid::from_child(&watcher.child);
    rustix::process::kill_process(watcher_id, rustix::process::Signal::BUS).unwrap();
    let told = watcher.errors.next().unwrap().unwrap();
    assert!(told.starts_with("shm: another process truncated the memory"), "{told}");
    assert_eq!(watcher.child.wait().unwrap().code(), Some(1));
}

#[test]
fn control_characters_of_names_and_paths_are_escaped_in_messages() {
    let directory = std::env::temp_dir();
    let within = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let missing = within("\x1b[31mmissing");
    for arguments in [
        &["raw", "read", "\x1b[31mname"][..],
        &["raw", "read", "--file", &missing],
        &["raw", "rm", "\x1b[31mname"],
        &["--dir", &missing, "ls"],
        &["--dir", &missing, "get", "name"],
        &["get", "\x1b[31mname"],
        &["raw", "create", "name", "--size", "\x1b[31m8"],
        &["\x1b[31mcommand"],
        &["lock", "name", "--timeout", "0ms", "--", "\x1b[31mcommand"],
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = shm();
        command.env("SHMKIT_DIR", directory.path()).args(arguments);
        let output = output_of(&mut command);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && !errors.contains('\x1b'), "{arguments:?}: {errors:?}");
        let is_of_command_line = errors.starts_with("error: ");
        let is_shown = errors.contains("\\u{1b}[31m");
        assert!(is_shown || is_of_command_line, "{arguments:?}: {errors}");
    }
}

#[test]
fn a_full_standard_output_is_an_error() {
    let name = Unique::new();
    raw(&["create", &name, "--size", "1M"]);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(assert_cmd::cargo::cargo_bin("shm"))
        .args(["raw", "dump", &name])
        .stdout(full)
        .output()
        .unwrap();
    ended(&output, 1, "cannot write to standard output: No space left on device");
}

#[test]
fn memory_of_another_user_is_refused_unless_trusted() {
    let name = Unique::new();
    raw(&["create", &name, "--size", "8", "--fill", "7", "--access", "everyone"]);
    if std::os::unix::fs::chown(name.memory(), Some(12_345), None).is_err() {
        return skip("memory of another user: only root can create it");
    }
    let refused = run(&["raw", "read", &name, "--hex"]);
    ended(&refused, 5, "user 0 did not ask to trust them: add --trust 12345 to open it anyway");
    for whose in ["12345", "anyone"] {
        assert_eq!(raw(&["read", &name, "--hex", "--trust", whose]), "0707070707070707\n");
        raw(&["write", &name, "--text", "\u{7}", "--trust", whose]);
        assert!(raw(&["dump", &name, "--trust", whose]).contains("07 07"));
    }
    let clock = run(&["clock", &name, "--raw", "--count", "1", "--trust", "anyone"]);
    assert_eq!(clock.status.code(), Some(2), "8 bytes are too few, but the user is trusted");
}
