//! How the thread that rings is started.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread.
pub(in crate::sys::notices) fn start(
    builder: Builder,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    builder.spawn(run)
}
