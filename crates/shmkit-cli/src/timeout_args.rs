//! The arguments of subcommands that wait, and the time that they have left.

use std::time::{Duration, Instant};

use crate::units;

/// How long to wait. The default is without a limit.
#[derive(Debug, clap::Args)]
pub(crate) struct TimeoutArgs {
    /// Wait at most this long, for example 500ms or 2s [default: no limit]
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

    /// Returns the time that is left. None without a limit.
    pub(crate) fn left(self) -> Option<Duration> {
        self.timeout.map(|timeout| timeout.saturating_sub(self.start.elapsed()))
    }

    /// The same, as the library counts it for slots.
    pub(crate) fn left_for_slot(self) -> Duration {
        self.left().unwrap_or(Duration::MAX)
    }
}
