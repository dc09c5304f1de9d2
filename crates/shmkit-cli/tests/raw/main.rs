//! `shm raw`, as a command beside programs that do not use shmkit.

mod command;
mod other_programs;
mod refusals;
#[path = "../running/mod.rs"]
mod running;

use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};

use assert_cmd::Command;
use shmkit::memory::{Region, SharedMemory};

use running::{Running, skip, started};

/// Returns the command, without variables of this process that it uses.
fn shm() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("shm"));
    command.env_remove("SHMKIT_DIR").env_remove("NO_COLOR");
    command
}

fn output_of(command: &mut Command) -> Output {
    started(|| command.output())
}

/// Runs `shm raw`, which must succeed. Returns its standard output.
#[track_caller]
fn raw(arguments: &[&str]) -> String {
    let output = output_of(shm().arg("raw").args(arguments));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Starts `shm` in the background.
fn start(arguments: &[&str]) -> Running {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("shm"));
    Running::new(command.args(arguments).env_remove("SHMKIT_DIR"))
}

/// Memory that exists at least until this is dropped.
struct Created {
    /// The JSON output of the command.
    report: String,
    /// The command, where memory disappears with its last user.
    _holder: Option<Running>,
}

/// Runs `shm raw create`.
#[track_caller]
fn create(name: &str, rest: &[&str]) -> Created {
    let arguments = [&["create", name, "--json"], rest].concat();
    if cfg!(unix) {
        let report = raw(&arguments);
        return Created { report: report.trim_end().to_owned(), _holder: None };
    }
    let mut holder = start(&[&["raw"], &arguments[..], &["--hold"]].concat());
    Created { report: holder.line(), _holder: Some(holder) }
}

/// Returns all bytes of memory.
fn bytes_of(name: &str) -> Vec<u8> {
    let memory = SharedMemory::options().read_only().open(name).unwrap().map().unwrap();
    let mut bytes = vec![0; memory.len()];
    memory.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Returns the size of memory that was created with `size`.
fn whole(size: usize) -> usize {
    if cfg!(windows) { size.next_multiple_of(Region::page_size()) } else { size }
}

/// A name that no other test uses, for memory or a temporary file, which is removed with it.
struct Unique(String);

impl Unique {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // ORDERING: Relaxed; no other data depends on the counter.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let time = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        Self(format!("shm-test-{}-{count}-{time:x}", std::process::id()))
    }

    /// Returns the file of memory with this name.
    #[cfg(unix)]
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
        #[cfg(unix)]
        let _ = std::fs::remove_file(self.memory());
        let _ = std::fs::remove_file(self.file());
    }
}

/// Asserts the exit code of a command, and its message.
#[track_caller]
fn ended(output: &Output, code: i32, message: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(message), "{errors}\nmust contain: {message}");
}
