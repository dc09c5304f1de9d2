//! Threads, as the standard library starts them.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread.
pub(crate) fn start(
    name: &str,
    stack_bytes: usize,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).stack_size(stack_bytes).spawn(run)
}
