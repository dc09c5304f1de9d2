//! The arguments of subcommands that wait, and the time that they have left.

use std::time::{Duration, Instant};

use shmkit::ErrorKind;

use crate::{output, units};

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
        mut attempt: impl FnMut(Option<Duration>) -> shmkit::Result<T>,
    ) -> shmkit::Result<T> {
        let silent = self.left().map_or(SILENT, |left| left.min(SILENT));
        match attempt(Some(silent)) {
            Err(error)
                if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Full)
                    && self.left() != Some(Duration::ZERO) =>
            {
                let why = error.peer().map_or(error.reason(), |peer| format!("{peer} {holds}"));
                output::note(format_args!("waiting to {doing}: {why} (--timeout limits that)"));
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
