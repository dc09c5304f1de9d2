//! The only code of the command that knows an operating system: clocks, ctrl-c, stopping a child,
//! running a command, and facts about raw memory.

use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::Context;

mod named_memory;
mod piped;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;

pub(crate) use named_memory::NamedMemory;
pub(crate) use system::{
    INTERRUPTED, KILL, Runner, TERMINAL_TAKES_ONLY_TEXT, explain_lack_of_memory,
    explain_sudden_ends, is_ancestor, is_closed_pipe, monotonic_ns, mount_point, processor_time,
    raw, restore_at_sudden_end, resume, run, stop, user_number,
};

const CANNOT_PREPARE: &str = "cannot prepare for ctrl-c";

/// Makes the system's requests to end this process work wherever it runs.
pub(crate) fn end_on_request() -> anyhow::Result<()> {
    system::end_on_request().context(CANNOT_PREPARE)
}

/// Calls `then` once, in a new thread, at ctrl-c and at the system's other requests to end, with
/// the exit code for it.
pub(crate) fn on_interrupt(then: impl FnOnce(u8) + Send + 'static) -> anyhow::Result<()> {
    system::on_interrupt(then).context(CANNOT_PREPARE)
}

/// Returns a channel that gets a message at ctrl-c.
pub(crate) fn interruption() -> anyhow::Result<Receiver<()>> {
    let (sender, interruption) = sync_channel(1);
    on_interrupt(move |_| _ = sender.send(()))?;
    Ok(interruption)
}
