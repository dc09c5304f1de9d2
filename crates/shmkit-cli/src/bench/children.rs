//! The directory of a comparison and its two processes, which are ended and removed at its end and
//! at ctrl-c.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;

use super::leftovers;
use crate::sys;

/// What exists at this moment.
pub(super) struct Children {
    directory: PathBuf,
    running: Arc<Mutex<Vec<Running>>>,
}

/// A process.
struct Running {
    child: Child,
    /// If this is closed, the process takes the command for dead, and removes the directory.
    input: ChildStdin,
}

impl Children {
    /// Creates a directory within `parent`.
    pub(super) fn new(parent: &Path) -> anyhow::Result<Self> {
        let unique = sys::monotonic_ns();
        let directory = parent.join(format!("shm-bench-{}-{unique:x}", std::process::id()));
        let running = Arc::new(Mutex::new(Vec::new()));
        let (its_directory, its_running) = (directory.clone(), running.clone());
        sys::on_interrupt(move |code| {
            // Until the process exits: nothing starts, and no end is reported, from here on.
            let mut running = lock(&its_running);
            end(&mut running);
            leftovers::remove(&its_directory);
            std::process::exit(i32::from(code));
        })?;
        let _running = lock(&running);
        create(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        drop(_running);
        Ok(Self { directory, running })
    }

    /// Calls `prepare` with a new directory. What it makes is removed with the directory.
    pub(super) fn prepare<T>(&self, prepare: impl FnOnce(&Path) -> T) -> anyhow::Result<T> {
        let _running = lock(&self.running);
        let directory = self.current();
        create(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        Ok(prepare(&directory))
    }

    /// Returns the directory that was prepared.
    pub(super) fn current(&self) -> PathBuf {
        self.directory.join("current")
    }

    /// Starts a process. Returns its standard output.
    pub(super) fn start(&self, command: &mut Command) -> anyhow::Result<ChildStdout> {
        let mut running = lock(&self.running);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start a process")?;
        let input = child.stdin.take().expect("it is piped");
        let output = child.stdout.take().expect("it is piped");
        running.push(Running { child, input });
        Ok(output)
    }

    /// Tells all processes to begin.
    pub(super) fn go(&self) {
        for Running { input, .. } in lock(&self.running).iter_mut() {
            // That one has died is noticed by the end of its output.
            let _ = input.write_all(b"go\n");
        }
    }

    /// Waits for a process that has closed its standard output.
    pub(super) fn wait(&self, number: usize) -> io::Result<ExitStatus> {
        lock(&self.running)[number].child.wait()
    }

    /// Ends the processes, and removes what was prepared.
    pub(super) fn clear(&self) {
        let mut running = lock(&self.running);
        end(&mut running);
        leftovers::remove(&self.current());
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        let mut running = lock(&self.running);
        end(&mut running);
        leftovers::remove(&self.directory);
    }
}

fn lock(running: &Mutex<Vec<Running>>) -> MutexGuard<'_, Vec<Running>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

fn end(running: &mut Vec<Running>) {
    for Running { mut child, input } in running.drain(..) {
        let _ = child.kill();
        let _ = child.wait();
        drop(input);
    }
}

#[cfg(unix)]
fn create(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    fs::DirBuilder::new().mode(0o700).create(directory)
}

#[cfg(windows)]
fn create(directory: &Path) -> io::Result<()> {
    fs::create_dir(directory)
}
