//! Raw memory as its users see it: names, files, regions, and other processes.

mod anonymous;
mod files;
mod named;
mod race;
mod regions;

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use shmkit::memory::{Region, SharedMemory};
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

    /// The file that memory of this name is.
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

/// Makes a name free whose memory nobody else has: by removing it, or, where it goes with its last
/// handle, by closing that. Gives back what can be kept all the same.
fn free(name: &str, memory: SharedMemory) -> Option<SharedMemory> {
    if cfg!(windows) {
        drop(memory);
        return None;
    }
    SharedMemory::remove(name).unwrap();
    Some(memory)
}

/// The size of memory that was asked for with this one.
fn whole(size: u64) -> u64 {
    if cfg!(windows) { size.next_multiple_of(Region::page_size() as u64) } else { size }
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
