//! The arguments of subcommands that wait.

use std::time::Duration;

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
    /// Returns the longest time to wait. None without a limit.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        if self.no_wait { Some(Duration::ZERO) } else { self.timeout }
    }
}
