//! `shm raw`, run as a command; and beside programs that know nothing of it.

mod command;
mod refusals;
mod strangers;

use std::io::Write;
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};

use assert_cmd::Command;

/// The command, with nothing of this process's environment that it heeds.
fn shm() -> Command {
    let mut command = Command::cargo_bin("shm").unwrap();
    command.env_remove("SHMKIT_DIR").env_remove("NO_COLOR");
    command
}

/// Runs `shm raw` with these arguments; it must succeed. Gives its standard output.
#[track_caller]
fn raw(arguments: &[&str]) -> String {
    let output = shm().arg("raw").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A name that nobody else uses; memory or a temporary file of that name goes with this value.
struct Unique(String);

impl Unique {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // ORDERING: Relaxed; only its own value counts.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let time = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        Self(format!("shm-test-{}-{count}-{time:x}", std::process::id()))
    }

    fn memory(&self) -> PathBuf {
        PathBuf::from("/dev/shm").join(&self.0)
    }

    fn file(&self) -> PathBuf {
        std::env::temp_dir().join(&self.0)
    }
}

impl std::ops::Deref for Unique {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Unique {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.memory());
        let _ = std::fs::remove_file(self.file());
    }
}

/// Asserts how a command ended, and that it said why.
#[track_caller]
fn ended(output: &Output, code: i32, message: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(message), "{errors}\nwas to contain: {message}");
}

/// Says aloud that something cannot be tried here; under CI that is a failure.
fn cannot_be_tried(what: &str) {
    // Not by `eprintln!`, which the harness keeps to itself when a test passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "must be tried under CI: {what}");
}
