//! The signals that ask this process to end.
//!
//! | when one comes | it |
//! |---|---|
//! | usually | ends the process: this is the system's default |
//! | as process 1 of a container, where that default does nothing | exits with the code of shells |
//! | after `on_interrupt` | calls back, once |
//! | while a command runs | is forwarded, or left to the command: see `running` |
//!
//! A signal that this process was started to ignore, as under nohup, stays ignored.

#![allow(unsafe_code, reason = "what the system does at a signal")]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_shutdown;
use signal_hook::iterator::Signals;

use super::threads;

const REQUESTS: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// Whether a request ends process 1: until something else handles these signals.
static ENDS_AT_ONCE: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

/// Makes requests to end work in every process. To be called before anything waits.
pub(crate) fn end_on_request() -> io::Result<()> {
    if std::process::id() != 1 {
        return Ok(());
    }
    for signal in REQUESTS.into_iter().filter(|it| !is_ignored(*it)) {
        register_conditional_shutdown(signal, i32::from(exit_code(signal)), ENDS_AT_ONCE.clone())?;
    }
    Ok(())
}

/// Calls `then` once, in a new thread, at SIGHUP, SIGINT (ctrl-c) or SIGTERM, with the exit code
/// for it.
pub(crate) fn on_interrupt(then: impl FnOnce(u8) + Send + 'static) -> io::Result<()> {
    let mut signals = handle(&REQUESTS)?;
    threads::start(move || {
        if let Some(signal) = signals.forever().next() {
            then(exit_code(signal));
        }
    })
}

/// From here on these signals are received from the result.
pub(super) fn handle(signals: &[i32]) -> io::Result<Signals> {
    let handled = Signals::new(signals.iter().filter(|it| !is_ignored(**it)))?;
    // ORDERING: Relaxed; a request that comes meanwhile ends the process, or is handled.
    ENDS_AT_ONCE.store(false, Ordering::Relaxed);
    Ok(handled)
}

/// The code of shells.
pub(super) fn exit_code(signal: i32) -> u8 {
    128 + signal as u8
}

/// Returns whether this process was started with the signal ignored.
pub(super) fn is_ignored(signal: i32) -> bool {
    let mut now = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the call changes nothing, and has room for its answer.
    let answer = unsafe { libc::sigaction(signal, ptr::null(), now.as_mut_ptr()) };
    // SAFETY: zeros are a valid value, which the call may have replaced.
    answer == 0 && unsafe { now.assume_init() }.sa_sigaction == libc::SIG_IGN
}
