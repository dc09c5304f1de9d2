//! The user, and the end, of a process under Unix.

/// The effective user, who owns what this process creates.
pub(crate) fn user_id() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Stands still until another says `SIGCONT`.
#[cfg(feature = "crash-points")]
#[allow(unsafe_code, reason = "only a signal to this very thread stops it before it goes on")]
pub(crate) fn stop() {
    // SAFETY: takes a number; nothing handles this signal but the system.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Ends this process as `kill -9` does: nothing is unwound, flushed or dropped.
#[cfg(feature = "crash-points")]
pub(crate) fn die() -> ! {
    use rustix::process::{Signal, getpid, kill_process};
    loop {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}
