//! A C++ program that uses only Win32.

use std::path::PathBuf;
use std::process::Command;

use crate::{Running, Unique, create, raw, skip, start, started};

/// Returns the program, which was compiled from `win32.cpp` before the tests: under Wine a test
/// cannot run the compiler.
fn win32() -> Option<Command> {
    const VARIABLE: &str = "SHMKIT_WIN32_PROGRAM";
    let path = std::env::var_os(VARIABLE).map(PathBuf::from).filter(|path| path.is_file());
    if path.is_none() {
        skip(&format!(
            "sharing with C++ and Win32: {VARIABLE} does not name the program that is \
             built from crates/shmkit-cli/tests/raw/win32.cpp"
        ));
    }
    path.map(Command::new)
}

/// Returns whether the line is a whole time. Some lines are half-written.
fn is_stamp(line: &str) -> bool {
    line.starts_with("20") && line.ends_with('Z')
}

#[test]
fn shm_reads_the_time_that_a_win32_program_writes() {
    let (name, Some(mut program)) = (Unique::new(), win32()) else { return };
    let mut writer =
        Running::new(program.args(["write", &name]).stdin(std::process::Stdio::piped()));
    assert_eq!(writer.line(), "writing");
    let mut watch = start(&["raw", "read", &name, "--watch", "--text", "--every", "1ms"]);
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
fn a_win32_program_reads_the_time_that_shm_writes() {
    let (name, Some(mut program)) = (Unique::new(), win32()) else { return };
    let _memory = create(&name, &["--size", "256"]);
    let _clock = start(&["clock", &name, "--raw", "--every", "10ms"]);
    let output = started(|| program.args(["read", "10", &name]).output());
    let (lines, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    let stamps: Vec<_> = lines.lines().filter(|line| is_stamp(line)).collect();
    assert_eq!(lines.lines().count(), 10);
    assert!(stamps.len() >= 5 && stamps.is_sorted(), "{lines}");
}

#[test]
fn a_win32_program_reads_what_shm_writes() {
    let (name, Some(mut program)) = (Unique::new(), win32()) else { return };
    let _memory = create(&name, &["--size", "100", "--fill", "1"]);
    raw(&["write", &name, "--offset", "10", "--hex", "0203"]);
    let output = started(|| program.args(["count", &name, "1"]).output());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), "4094 of 4096");
}
