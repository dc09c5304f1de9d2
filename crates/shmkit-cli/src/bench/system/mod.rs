//! What the comparison needs from an operating system, besides the mechanisms themselves.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as on;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as on;

pub(super) use on::{
    block_signals, inheritable, inherited, kernel, pin, processor_name, processors, remove_queue,
};
