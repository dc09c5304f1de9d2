//! Ending at ctrl-c and at the system's other requests, after what was begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use shmkit::{CancelToken, ErrorKind};

use crate::exit::Failure;
use crate::sys;

/// How long a command that was asked to end may still write, before it ends at once.
const LAST_WRITES: Duration = Duration::from_millis(500);

/// Ends the waits of this command when it is asked to end.
#[derive(Clone)]
pub(crate) struct Stop {
    token: CancelToken,
    /// The exit code; 0 until it is asked to end.
    code: Arc<AtomicU8>,
}

impl Stop {
    /// For a caller that calls [`ask`](Self::ask).
    pub(crate) fn new() -> Self {
        Self { token: CancelToken::new(), code: Arc::new(AtomicU8::new(0)) }
    }

    /// Prepares for requests to end. If this process is still there a moment after one, because
    /// nobody takes what it writes, it ends at once.
    pub(crate) fn at_requests() -> anyhow::Result<Self> {
        let stop = Self::new();
        let asked = stop.clone();
        sys::on_interrupt(move |code| {
            asked.ask(code);
            thread::sleep(LAST_WRITES);
            std::process::exit(code.into());
        })?;
        Ok(stop)
    }

    /// Asks this command to end with the exit code.
    pub(crate) fn ask(&self, code: u8) {
        // ORDERING: Release; pairs with the Acquire in `requested`.
        self.code.store(code, Ordering::Release);
        self.token.cancel();
    }

    /// Returns the exit code with which this command was asked to end, if it was.
    pub(crate) fn requested(&self) -> Option<u8> {
        // ORDERING: Acquire; pairs with the Release in `ask`.
        Some(self.code.load(Ordering::Acquire)).filter(|code| *code != 0)
    }

    /// Makes waits that end when this command is asked to end.
    pub(crate) fn run(&self, action: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
        let ended = self.token.run(action);
        let is_cancelled = |error: &anyhow::Error| {
            let error = error.downcast_ref::<shmkit::Error>();
            error.is_some_and(|error| error.kind() == ErrorKind::Cancelled)
        };
        match (ended, self.requested()) {
            (Err(error), Some(code)) if is_cancelled(&error) => Err(Failure::Reported(code).into()),
            (ended, _) => ended,
        }
    }
}
