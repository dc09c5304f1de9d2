//! One of the two processes: it opens its side, reports that it is ready, and runs when it is told.
//!
//! ```text
//! command ── standard input: `go`; its end ends the process ──> process
//!         <─ standard output: JSON in lines: `ready`, then results, or why not ──
//! ```

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use serde_json::{Value as Json, json};

use super::side::{self, Side};
use super::wait::Wait;
use super::{leftovers, system};
use crate::{output, sys, units};

/// The first argument of this program as one of the two processes. It is not a subcommand, so no
/// help, manual or completion shows it.
pub(super) const PART_OF_BENCH: &str = "part-of-bench";

/// One of the two processes
#[derive(Debug, clap::Parser)]
pub(super) struct Args {
    /// The name of the mechanism
    pub(super) mechanism: String,
    part: Part,
    /// The size of a message
    size: usize,
    directory: PathBuf,
    /// The time for round trips, and again for messages one way
    #[arg(long, value_parser = units::duration)]
    during: Duration,
    /// Sleep at once
    #[arg(long)]
    asleep: bool,
    /// The processor to run on [default: any]
    #[arg(long)]
    processor: Option<usize>,
    /// A handle that the process inherits
    #[arg(long = "end")]
    ends: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// Sends first.
    First,
    /// Answers.
    Second,
}

impl Part {
    pub(super) const BOTH: [Self; 2] = [Self::First, Self::Second];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }
}

/// A process at work.
pub(super) struct Worker {
    args: Args,
    keeps_all: bool,
    /// Gets a message when both processes are to begin.
    go: Receiver<()>,
}

/// How long a process waits for the other one to open its side.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

impl Worker {
    /// Prepares this process: its end, its signals, its processor.
    pub(super) fn new(args: Args, keeps_all: bool) -> anyhow::Result<Self> {
        // Before there is another thread.
        system::block_signals()?;
        // The command handles ctrl-c, and ends this process.
        sys::on_interrupt(|_| ())?;
        if let Some(processor) = args.processor {
            // The command has tried it before, and says whether it works.
            let _ = system::pin(processor);
        }
        let go = follow_the_command(args.directory.clone())?;
        Ok(Self { args, keeps_all, go })
    }

    pub(super) fn part(&self) -> Part {
        self.args.part
    }

    pub(super) fn size(&self) -> usize {
        self.args.size
    }

    pub(super) fn wait(&self) -> Wait {
        if self.args.asleep { Wait::Asleep } else { Wait::Spinning }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.args.directory.join(name)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.args.directory
    }

    /// Returns the handles that this process inherits.
    pub(super) fn ends(&self) -> &[String] {
        &self.args.ends
    }

    /// Returns names of what this side sends through, and of what it receives from.
    pub(super) fn ways(&self) -> [&'static str; 2] {
        match self.part() {
            Part::First => ["there", "back"],
            Part::Second => ["back", "there"],
        }
    }

    /// Opens a side, and passes messages when the command says so. Reports what it measured, or why
    /// the system refuses it.
    pub(super) fn run<S: Side>(
        &self,
        open: impl FnOnce(&Self) -> anyhow::Result<S>,
    ) -> anyhow::Result<()> {
        let report = self.measure(open);
        // If the command has ended, this process ends when it has removed what was made.
        let _not_removing = lock_removal();
        match report {
            Ok(report) => Ok(output::line(report)?),
            Err(error) if is_refusal(&error) => {
                Ok(output::line(json!({ "cannot": format!("{error:#}") }))?)
            }
            Err(error) => Ok(output::line(json!({ "failed": format!("{error:#}") }))?),
        }
    }

    fn measure<S: Side>(
        &self,
        open: impl FnOnce(&Self) -> anyhow::Result<S>,
    ) -> anyhow::Result<Json> {
        let mut side = open(self)?;
        output::line(json!({ "ready": true }))?;
        self.go.recv().context("the command has ended")?;
        match self.part() {
            Part::First => {
                let asked = side::ask(&mut side, self.args.during)?;
                side::pour(&mut side, self.args.during)?;
                let pairs = asked.ns.iter_recorded();
                let pairs = pairs.map(|it| json!([it.value_iterated_to(), it.count_at_value()]));
                Ok(json!({ "round_trips": pairs.collect::<Vec<_>>(), "busy": asked.busy }))
            }
            Part::Second => {
                let busy = side::echo(&mut side)?;
                let taken = side::take(&mut side, self.keeps_all)?;
                let seconds = taken.elapsed.as_secs_f64();
                Ok(json!({ "busy": busy, "messages": taken.messages, "seconds": seconds }))
            }
        }
    }
}

/// Excludes the end of this process while it removes what was made.
fn lock_removal() -> MutexGuard<'static, ()> {
    static REMOVAL: Mutex<()> = Mutex::new(());
    REMOVAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns whether an error is one of the system or of the library, and not a wrong message.
fn is_refusal(error: &anyhow::Error) -> bool {
    error.chain().any(|it| it.is::<io::Error>() || it.is::<shmkit::Error>())
}

/// Returns a channel that gets a message when the command says that both processes begin.
///
/// Ends this process when the command ends, also when the command is killed: that closes this
/// input. Then only the two processes are left to remove what was made.
fn follow_the_command(directory: PathBuf) -> anyhow::Result<Receiver<()>> {
    let (sender, go) = sync_channel(1);
    let follow = std::thread::Builder::new().spawn(move || {
        for _ in io::stdin().lock().lines().map_while(Result::ok) {
            let _ = sender.try_send(());
        }
        let _until_the_end = lock_removal();
        // The command's directory, with this one in it.
        leftovers::remove(directory.parent().unwrap_or(&directory));
        std::process::exit(1);
    });
    follow.map(drop).context("cannot start a thread")?;
    Ok(go)
}
