//! An access to bytes that another process has just truncated.

#![allow(unsafe_code, reason = "a signal handler")]

use std::io;

use signal_hook::consts::SIGBUS;
use signal_hook::low_level::{exit, register};

/// Makes a bus error print why, and end the command with this code. No check before an access can
/// exclude that the memory is truncated after it.
pub(crate) fn explain_bus_errors(code: u8) -> io::Result<()> {
    const WORDS: &[u8] = b"shm: another process truncated the memory, or its file system has no \
                           space left: create it again, or free space\n";
    let explain = move || {
        let _ = rustix::io::write(rustix::stdio::stderr(), WORDS);
        exit(code.into());
    };
    // SAFETY: a handler may call `write` and `_exit` (signal-safety(7)), and it calls only these.
    unsafe { register(SIGBUS, explain) }?;
    Ok(())
}
