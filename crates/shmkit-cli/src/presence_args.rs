//! The argument of subcommands that can wait for an object to be created.

use std::time::Duration;

use shmkit::{ErrorKind, inspect};

use crate::exit::Failure;
use crate::global::Global;
use crate::timeout_args::TimeLimit;

/// Whether to wait for an object that does not exist yet.
#[derive(Debug, clap::Args)]
pub(crate) struct PresenceArgs {
    /// If no object has the name, wait until a process creates one
    ///
    /// The command looks for it every 50 ms. --timeout limits this wait, too.
    #[arg(long)]
    wait_for_object: bool,
}

/// How long a command that waits for an object pauses between its looks.
const PRESENCE_PAUSE: Duration = Duration::from_millis(50);

impl PresenceArgs {
    /// Waits until an object has the name, up to the limit.
    pub(crate) fn wait(
        &self,
        name: &str,
        limit: TimeLimit,
        global: &Global,
    ) -> Result<(), Failure> {
        let is_missing = || {
            let looked = inspect::describe(&global.directory(), name, global.trust);
            looked.is_err_and(|error| error.kind() == ErrorKind::NotFound)
        };
        while self.wait_for_object && is_missing() {
            let left = limit.left().unwrap_or(PRESENCE_PAUSE);
            if left.is_zero() {
                let why = "no object of this name was created before the timeout expired";
                return Err(Failure::NotNow(format!("cannot open \"{name}\": {why}")));
            }
            std::thread::sleep(left.min(PRESENCE_PAUSE));
        }
        Ok(())
    }
}
