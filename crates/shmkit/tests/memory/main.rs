//! Raw memory: names, files, regions, and other processes.

mod anonymous;
mod files;
mod named;
mod race;
mod regions;
#[path = "../skipping/mod.rs"]
mod skipping;
mod while_used;

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use shmkit::memory::{Region, SharedMemory};
use shmkit::{ErrorKind, Result};

/// A unique name for raw memory or a file. Memory of this name is removed with this value.
#[derive(PartialEq)]
struct Unique(String);

impl Unique {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // ORDERING: Relaxed; the count only needs to differ each time.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let time = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        Self(format!("shmkit-test-{}-{count}-{time:x}", std::process::id()))
    }

    /// The name of memory that got it when it was created.
    fn of(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The file of the memory of this name.
    #[cfg(unix)]
    fn path(&self) -> std::path::PathBuf {
        std::path::Path::new("/dev/shm").join(&self.0)
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
        #[cfg(unix)]
        let _ = std::fs::remove_dir(self.path());
    }
}

/// Makes the name of memory without other handles free: by removing the memory, or on Windows by
/// closing its last handle. Returns the handle if it stays valid.
fn free_name(name: &str, memory: SharedMemory) -> Option<SharedMemory> {
    if cfg!(windows) {
        drop(memory);
        return None;
    }
    SharedMemory::remove(name).unwrap();
    Some(memory)
}

/// The actual size of memory for which this size was requested.
fn actual_size(size: u64) -> u64 {
    if cfg!(windows) { size.next_multiple_of(Region::page_size() as u64) } else { size }
}

/// Checks the kind of the error that an operation returned, and that its message contains `message`.
#[track_caller]
fn assert_error<T: std::fmt::Debug>(answer: Result<T>, kind: ErrorKind, message: &str) {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(message), "{error}\ndoes not contain: {message}");
}

/// The environment variable with a child's task.
const TASK: &str = "SHMKIT_TEST_TASK";

/// A child process: this program again, which runs one test with a [`task`].
fn child(test: &str, task: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(TASK, task).stdout(Stdio::null());
    command
}

/// The task of this process if it is a child.
fn task() -> Option<String> {
    std::env::var(TASK).ok()
}
