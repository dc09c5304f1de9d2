//! How long a command waits for what others have.

use std::time::Duration;

use crate::units;

/// How long to wait: as long as it takes, unless told otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct TimeoutArgs {
    /// How long to wait at the most; without it, as long as it takes
    #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
    #[arg(conflicts_with = "no_wait")]
    timeout: Option<Duration>,
    /// Do not wait
    #[arg(long, short)]
    no_wait: bool,
}

impl TimeoutArgs {
    /// The longest time; nothing: as long as it takes.
    pub(crate) fn limit(&self) -> Option<Duration> {
        if self.no_wait { Some(Duration::ZERO) } else { self.timeout }
    }
}
