//! The user of this process, the processors, and how crash points end and stop it, on Unix.

/// Returns the effective user, which owns what this process creates.
pub(crate) fn user_id() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Returns whether the machine has only one processor.
#[allow(unsafe_code, reason = "no safe function tells the processors of the machine")]
pub(crate) fn has_one_processor() -> bool {
    // SAFETY: the call takes a number and returns one.
    (unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }) == 1
}

/// Stops this process until another process sends `SIGCONT`.
#[cfg(feature = "crash-points")]
#[allow(unsafe_code, reason = "only a signal to this thread stops it before the call returns")]
pub(crate) fn stop() {
    // SAFETY: `raise` takes a number, and no handler can be set for this signal.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Ends this process as `kill -9` does, without unwinding, flushing or dropping.
#[cfg(feature = "crash-points")]
pub(crate) fn die() -> ! {
    use rustix::process::{Signal, getpid, kill_process};
    loop {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}
