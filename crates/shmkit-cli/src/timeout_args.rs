//! The arguments of subcommands that wait, and the time that they have left.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use shmkit::{ErrorKind, Peer};

use crate::{output, sys, units};

/// How long to wait. The default is without a limit.
#[derive(Debug, clap::Args)]
pub(crate) struct TimeoutArgs {
    /// Wait at most this long, for example 500ms, 2s or 2 (seconds) [default: no limit]
    #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
    #[arg(conflicts_with = "no_wait")]
    timeout: Option<Duration>,
    /// Do not wait: the same as --timeout 0s
    #[arg(long, short)]
    no_wait: bool,
}

impl TimeoutArgs {
    /// Returns the limit, which begins now.
    pub(crate) fn limit(&self) -> TimeLimit {
        TimeLimit::new(if self.no_wait { Some(Duration::ZERO) } else { self.timeout })
    }
}

/// How long a command waits before it says so.
const SILENT: Duration = Duration::from_secs(1);

/// What a message adds if the process that holds an object runs this command, as `shm lock` does.
fn of_parent(holder: &Peer) -> &'static str {
    match holder.pid {
        Some(pid) if sys::is_ancestor(pid) => {
            ", and has started this process: if it waits for its end, neither continues"
        }
        _ => "",
    }
}

/// A limit for all waits of a command together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimit {
    start: Instant,
    timeout: Option<Duration>,
}

impl TimeLimit {
    /// A limit that begins now. None: without a limit.
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        Self { start: Instant::now(), timeout }
    }

    /// A limit for a command that waits only for a slot: 1 s.
    pub(crate) fn brief() -> Self {
        Self::new(Some(Duration::from_secs(1)))
    }

    /// Makes an attempt that waits as long as it is told. If it still waits after 1 s, says so on
    /// standard error: what this command waits to do, and that a process `holds` the object.
    pub(crate) fn attempt<T>(
        self,
        doing: &str,
        holds: &str,
        attempt: impl FnMut(Option<Duration>) -> shmkit::Result<T>,
    ) -> shmkit::Result<T> {
        let why = |error: &shmkit::Error| match error.peer() {
            Some(peer) => format!("{peer} {holds}{}", of_parent(peer)),
            None => error.reason(),
        };
        self.attempt_noting(|error| format!("to {doing}: {}", why(error)), attempt)
    }

    /// The same for an event, which commands wait for as a rule: a script gets no message.
    pub(crate) fn attempt_as_rule<T>(
        self,
        waiting: &str,
        mut attempt: impl FnMut(Option<Duration>) -> shmkit::Result<T>,
    ) -> shmkit::Result<T> {
        match io::stderr().is_terminal() {
            true => self.attempt_noting(|_| waiting.into(), attempt),
            false => attempt(self.left()),
        }
    }

    /// The same. `waiting` returns the text that completes "waiting".
    pub(crate) fn attempt_noting<T>(
        self,
        waiting: impl FnOnce(&shmkit::Error) -> String,
        mut attempt: impl FnMut(Option<Duration>) -> shmkit::Result<T>,
    ) -> shmkit::Result<T> {
        let silent = self.left().map_or(SILENT, |left| left.min(SILENT));
        match attempt(Some(silent)) {
            Err(error)
                if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Full)
                    && self.left() != Some(Duration::ZERO) =>
            {
                let waiting = waiting(&error);
                output::note(format_args!("waiting {waiting} (--timeout limits that)"));
                attempt(self.left())
            }
            answer => answer,
        }
    }

    /// Returns the time that is left. None without a limit.
    pub(crate) fn left(self) -> Option<Duration> {
        self.timeout.map(|timeout| timeout.saturating_sub(self.start.elapsed()))
    }

    /// The same, as the library counts it for slots.
    pub(crate) fn left_for_slot(self) -> Duration {
        self.left().unwrap_or(Duration::MAX)
    }
}
