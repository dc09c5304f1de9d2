//! The argument of subcommands that can wait for an object to be created.

use std::time::Duration;

use shmkit::{ErrorKind, inspect};

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
    /// Waits until an object has the name, or until the limit. The caller finds what is wrong then.
    pub(crate) fn wait(&self, name: &str, limit: TimeLimit, global: &Global) {
        let is_missing = || {
            let looked = inspect::describe(&global.directory(), name, global.trust);
            looked.is_err_and(|error| error.kind() == ErrorKind::NotFound)
        };
        while self.wait_for_object && is_missing() {
            match limit.left().unwrap_or(PRESENCE_PAUSE) {
                Duration::ZERO => return,
                left => std::thread::sleep(left.min(PRESENCE_PAUSE)),
            }
        }
    }
}
