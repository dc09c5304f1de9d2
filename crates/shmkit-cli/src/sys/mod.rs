//! The only code of the command that knows an operating system: clocks, ctrl-c, stopping a child,
//! running a command, and facts about raw memory.

use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::Context;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;

pub(crate) use system::{
    KILL, explain_bus_errors, monotonic_ns, processor_time, raw, resume, run, stop,
};

/// Calls `then` once, in a new thread, at ctrl-c and at the system's other requests to end.
pub(crate) fn on_interrupt(then: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    system::on_interrupt(then).context("cannot prepare for ctrl-c")
}

/// Returns a channel that gets a message at ctrl-c.
pub(crate) fn interruption() -> anyhow::Result<Receiver<()>> {
    let (sender, interruption) = sync_channel(1);
    on_interrupt(move || _ = sender.send(()))?;
    Ok(interruption)
}
