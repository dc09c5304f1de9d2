//! Raw memory as its users see it: names, files, regions, and other processes.

mod anonymous;
mod files;
mod named;
mod race;
mod regions;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use shmkit::memory::SharedMemory;
use shmkit::{ErrorKind, Result};

/// A name of raw memory, or a path, that nobody else uses; what has it goes with this value.
struct Unique(String);

impl Unique {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // ORDERING: Relaxed; only its own value counts.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let time = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        Self(format!("shmkit-test-{}-{count}-{time:x}", std::process::id()))
    }

    fn path(&self) -> PathBuf {
        PathBuf::from("/dev/shm").join(&self.0)
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
        let _ = SharedMemory::remove(&self.0);
        let _ = std::fs::remove_dir(self.path());
    }
}

/// Asserts that it failed with this kind, and that the message ends as given.
#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T>, kind: ErrorKind, message: &str) {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(message), "{error}\nwas to contain: {message}");
}

/// What a child is to do, and on what. The test it runs looks it up with [`task`].
const TASK: &str = "SHMKIT_TEST_TASK";

/// This program again, to run one test, which finds `task` in [`TASK`].
fn child(test: &str, task: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(TASK, task).stdout(Stdio::null());
    command
}

fn task() -> Option<String> {
    std::env::var(TASK).ok()
}

/// Says aloud that something cannot be tried here; under CI that is a failure.
fn cannot_be_tried(what: &str) {
    // Not by `eprintln!`, which the harness keeps to itself when a test passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "must be tried under CI: {what}");
}
