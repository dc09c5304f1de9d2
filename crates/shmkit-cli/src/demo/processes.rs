//! The demonstration's other processes, as it sees them; and what it cleans up.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail};
use serde_json::Value as Json;
use shmkit::{Latest, Lifetime, Shareable, inspect};

use super::roles::Role;
use crate::exit::INTERRUPTED;
use crate::{advice, sys};

/// A writer or a reader. It ends at the latest with this value.
pub(super) struct Process {
    pub(super) child: Child,
    /// Its end tells the process to end.
    _input: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
    role: Role,
}

impl Process {
    pub(super) fn start(
        role: Role,
        directory: &Path,
        name: &str,
        options: &[&str],
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(program)
            .args([super::PART_OF_DEMO, role.as_str()])
            .arg(directory)
            .arg(name)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a process")?;
        let input = child.stdin.take().expect("it was asked for");
        let reports = BufReader::new(child.stdout.take().expect("it was asked for")).lines();
        Ok(Self { child, _input: input, reports, role })
    }

    /// What it says next.
    pub(super) fn report(&mut self) -> anyhow::Result<Json> {
        match self.reports.next() {
            Some(line) => Ok(serde_json::from_str(&line?)?),
            None => {
                // After ctrl-c it is no news that it ended.
                let _not_interrupted = hold_interruption();
                bail!("the {} ended too early: {}", self.role.as_str(), self.child.wait()?)
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the demonstration's objects are. They are gone with this value, and after ctrl-c.
pub(super) struct Place {
    pub(super) directory: PathBuf,
    prefix: String,
}

/// What waits until ctrl-c has been dealt with, and what that waits for.
fn hold_interruption() -> MutexGuard<'static, ()> {
    static HELD: Mutex<()> = Mutex::new(());
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Place {
    /// `prefix` begins the names of the objects, and of no others.
    pub(super) fn new(directory: PathBuf) -> anyhow::Result<Self> {
        let unique = sys::monotonic_ns();
        let prefix = format!("demo-{}-{unique:x}", std::process::id());
        let (there, those) = (directory.clone(), prefix.clone());
        sys::on_interrupt(move || {
            // For ever: nothing is made or said from here on.
            let _held = hold_interruption();
            remove_all(&there, &those);
            std::process::exit(i32::from(INTERRUPTED));
        })?;
        Ok(Self { directory, prefix })
    }

    /// Makes an object that lives as long as somebody uses it.
    pub(super) fn make<T: Shareable>(&self, part: &str) -> anyhow::Result<Latest<T>> {
        let _held = hold_interruption();
        let options = Latest::options().directory(&self.directory).lifetime(Lifetime::WhileUsed);
        let object = options.create(&format!("{}/{part}", self.prefix));
        object.map_err(|error| advice::explained(error, &self.directory))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        remove_all(&self.directory, &self.prefix);
    }
}

fn remove_all(directory: &Path, prefix: &str) {
    for part in super::PARTS {
        let _ = inspect::remove(directory, &format!("{prefix}/{part}"), Default::default());
    }
}
