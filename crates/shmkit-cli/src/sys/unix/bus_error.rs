//! An access to bytes that another process has just truncated.

#![allow(unsafe_code, reason = "a signal handler")]

use std::io;

use signal_hook::consts::SIGBUS;
use signal_hook::low_level::{exit, register};

/// Makes a bus error end the command in words: the check before an access cannot exclude that the
/// memory is truncated after it.
pub(crate) fn explain_bus_errors() -> io::Result<()> {
    const WORDS: &[u8] =
        b"shm: the memory was truncated while it was used, or the file system has no space left\n";
    let explain = || {
        let _ = rustix::io::write(rustix::stdio::stderr(), WORDS);
        exit(1);
    };
    // SAFETY: a handler may call `write` and `_exit` (signal-safety(7)), and it calls only these.
    unsafe { register(SIGBUS, explain) }?;
    Ok(())
}
