//! The processes and the objects of the demonstration, which it ends and removes.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail};
use serde_json::Value as Json;
use shmkit::{Latest, Lifetime, Shareable, inspect};

use super::roles::{PART_OF_DEMO, Role};
use crate::{advice, sys};

/// The parts of the demonstration, each with an object of its own. The last three are tries.
pub(super) const PARTS: [&str; 5] = ["paced", "flat-out", "death", "second-death", "third-death"];

/// A writer or a reader, which is killed when this is dropped.
pub(super) struct Process {
    pub(super) child: Child,
    /// The process ends when this is closed.
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
            .args([PART_OF_DEMO, role.as_str()])
            .arg(directory)
            .arg(name)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a process")?;
        let input = child.stdin.take().expect("it is piped");
        let reports = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Ok(Self { child, _input: input, reports, role })
    }

    /// Returns its next report.
    pub(super) fn report(&mut self) -> anyhow::Result<Json> {
        match self.reports.next() {
            Some(line) => {
                Ok(serde_json::from_str(&line.context("cannot read the report of a process")?)?)
            }
            None => {
                // At ctrl-c this waits until the demonstration ends.
                let _not_interrupted = lock_cleanup();
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

/// The objects of the demonstration, which are removed when this is dropped, and at ctrl-c.
pub(super) struct Objects {
    pub(super) directory: PathBuf,
    prefix: String,
}

/// Excludes the cleanup at ctrl-c while an object is created.
fn lock_cleanup() -> MutexGuard<'static, ()> {
    static CLEANUP: Mutex<()> = Mutex::new(());
    CLEANUP.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Objects {
    /// The names of the objects begin with a prefix that no other object has.
    pub(super) fn new(directory: PathBuf) -> anyhow::Result<Self> {
        let unique = sys::monotonic_ns();
        let prefix = format!("demo-{}-{unique:x}", std::process::id());
        let (its_directory, its_prefix) = (directory.clone(), prefix.clone());
        sys::on_interrupt(move |code| {
            // Until the process exits: no object is created and no end reported from here on.
            let _locked = lock_cleanup();
            remove_all(&its_directory, &its_prefix);
            std::process::exit(i32::from(code));
        })?;
        Ok(Self { directory, prefix })
    }

    /// Creates an object that lives as long as a process uses it.
    pub(super) fn create<T: Shareable>(&self, part: &str) -> anyhow::Result<Latest<T>> {
        let _locked = lock_cleanup();
        let options = Latest::options().directory(&self.directory).lifetime(Lifetime::WhileUsed);
        let object = options.create(&format!("{}/{part}", self.prefix));
        object.map_err(advice::explain)
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        remove_all(&self.directory, &self.prefix);
    }
}

fn remove_all(directory: &Path, prefix: &str) {
    for part in PARTS {
        let _ = inspect::remove(directory, &format!("{prefix}/{part}"), Default::default());
    }
}
