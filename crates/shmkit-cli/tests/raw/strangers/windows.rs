//! A C++ program that knows the calls of Win32 alone.

use std::path::PathBuf;
use std::process::Command;

use crate::{Running, Unique, cannot_be_tried, create, raw, started};

/// The program, compiled from `win32.cpp` by whoever started this test: under Wine, where the
/// compilers are programs of another system, the test cannot.
fn win32() -> Option<Command> {
    const VARIABLE: &str = "SHMKIT_WIN32_PROGRAM";
    let path = std::env::var_os(VARIABLE).map(PathBuf::from).filter(|path| path.is_file());
    if path.is_none() {
        cannot_be_tried(&format!(
            "sharing with C++ and Win32: {VARIABLE} names no program, built from \
             crates/shmkit-cli/tests/raw/win32.cpp as it says"
        ));
    }
    path.map(Command::new)
}

/// Whether it can be a moment of the clock: no half of one, of which there are some.
fn is_stamp(line: &str) -> bool {
    line.starts_with("20") && line.ends_with('Z')
}

#[test]
fn the_time_that_a_win32_program_writes_shm_shows() {
    let (name, Some(mut program)) = (Unique::new(), win32()) else { return };
    let mut writer =
        Running::new(program.args(["write", &name]).stdin(std::process::Stdio::piped()));
    assert_eq!(writer.line(), "writing");
    let mut watch = Running::shm(&["raw", "read", &name, "--watch", "--text", "--every", "1ms"]);
    let mut stamps: Vec<String> = Vec::new();
    while stamps.len() < 10 {
        let line = watch.line();
        if is_stamp(&line) {
            assert!(stamps.last().is_none_or(|last| *last != line), "{line}");
            stamps.push(line);
        }
    }
    assert!(stamps.is_sorted(), "{stamps:?}");
}

#[test]
fn the_time_that_shm_writes_a_win32_program_shows() {
    let (name, Some(mut program)) = (Unique::new(), win32()) else { return };
    let _memory = create(&name, &["--size", "256"]);
    let _clock = Running::shm(&["clock", &name, "--raw", "--every", "10ms"]);
    let output = started(|| program.args(["read", "10", &name]).output());
    let (told, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    let stamps: Vec<_> = told.lines().filter(|line| is_stamp(line)).collect();
    assert_eq!(told.lines().count(), 10);
    assert!(stamps.len() >= 5 && stamps.is_sorted(), "{told}");
}

#[test]
fn what_shm_writes_a_win32_program_sees() {
    let (name, Some(mut program)) = (Unique::new(), win32()) else { return };
    let _memory = create(&name, &["--size", "100", "--fill", "1"]);
    raw(&["write", &name, "--offset", "10", "--hex", "0203"]);
    let output = started(|| program.args(["count", &name, "1"]).output());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), "4094 of 4096");
}
