//! What the command asks of the operating system itself: clocks, ctrl-c, the state of a child,
//! running a command, and what raw memory is there. The only code of the command that knows one.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{KILL, go_on, monotonic_ns, on_interrupt, processor_time, raw, run, stop};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{KILL, go_on, monotonic_ns, on_interrupt, processor_time, raw, run, stop};
