//! The only code of the command that knows an operating system: clocks, ctrl-c, stopping a child,
//! running a command, and facts about raw memory.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{KILL, monotonic_ns, on_interrupt, processor_time, raw, resume, run, stop};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    KILL, monotonic_ns, on_interrupt, processor_time, raw, resume, run, stop,
};

/// Returns a channel that gets a message at ctrl-c.
pub(crate) fn interruption() -> io::Result<Receiver<()>> {
    let (sender, interruption) = sync_channel(1);
    on_interrupt(move || _ = sender.send(()))?;
    Ok(interruption)
}
