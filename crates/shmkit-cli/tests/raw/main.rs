//! `shm raw`, run as a command; and beside programs that know nothing of it.

mod command;
mod refusals;
mod strangers;

use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use assert_cmd::Command;
use shmkit::memory::{Region, SharedMemory};

/// The command, with nothing of this process's environment that it heeds.
fn shm() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("shm"));
    command.env_remove("SHMKIT_DIR").env_remove("NO_COLOR");
    command
}

/// Starts a process. Wine fails to now and then, with this error of its own, and can the next time.
fn started<T>(mut start: impl FnMut() -> io::Result<T>) -> T {
    const INTERNAL_ERROR: i32 = 1359;
    loop {
        match start() {
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(INTERNAL_ERROR) => {}
            answer => return answer.unwrap(),
        }
    }
}

fn output_of(command: &mut Command) -> Output {
    started(|| command.output())
}

/// Runs `shm raw` with these arguments; it must succeed. Gives its standard output.
#[track_caller]
fn raw(arguments: &[&str]) -> String {
    let output = output_of(shm().arg("raw").args(arguments));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A command in the background, which ends at the latest with this value.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    fn new(command: &mut std::process::Command) -> Self {
        command.stdout(Stdio::piped());
        let mut child = started(|| command.spawn());
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// `shm` with these arguments.
    fn shm(arguments: &[&str]) -> Self {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("shm"));
        Self::new(command.args(arguments).env_remove("SHMKIT_DIR"))
    }

    /// What it says next, without the end of the line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "it ended: {line:?}");
        line.trim_end().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Memory that is there for as long as this value.
struct Made {
    /// What the command said, as JSON.
    told: String,
    /// Where memory goes with the last who has it, who that is.
    _held: Option<Running>,
}

/// Runs `shm raw create`.
#[track_caller]
fn create(name: &str, rest: &[&str]) -> Made {
    let arguments = [&["create", name, "--json"], rest].concat();
    if cfg!(unix) {
        let told = raw(&arguments);
        return Made { told: told.trim_end().to_owned(), _held: None };
    }
    let mut held = Running::shm(&[&["raw"], &arguments[..], &["--hold"]].concat());
    Made { told: held.line(), _held: Some(held) }
}

/// All bytes of memory.
fn bytes_of(name: &str) -> Vec<u8> {
    let memory = SharedMemory::options().read_only().open(name).unwrap().map().unwrap();
    let mut bytes = vec![0; memory.len()];
    memory.read_at(0, &mut bytes).unwrap();
    bytes
}

/// The size of memory that was asked for with this one.
fn whole(size: usize) -> usize {
    if cfg!(windows) { size.next_multiple_of(Region::page_size()) } else { size }
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

    /// The file that memory of this name is.
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
    let _ = writeln!(io::stderr(), "SKIPPED: {what}");
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "must be tried under CI: {what}");
}
