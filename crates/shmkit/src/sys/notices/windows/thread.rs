//! How the thread that rings is started.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread.
pub(in crate::sys::notices) fn start(
    name: &str,
    stack_bytes: usize,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).stack_size(stack_bytes).spawn(run)
}
