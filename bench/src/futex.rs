//! The system call, bare: sleeping on a word of the ground, in any process that has it mapped.

use std::ptr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Sleeps while the low half of `word` is that of `found`, until it is woken; or for no reason.
pub(crate) fn wait(word: &AtomicU64, found: u64) {
    call(word, libc::FUTEX_WAIT, found as u32, None);
}

/// The same, for `patience` at most.
pub(crate) fn wait_timeout(word: &AtomicU64, found: u64, patience: Duration) {
    call(word, libc::FUTEX_WAIT, found as u32, Some(patience));
}

/// Wakes one who sleeps on `word`.
pub(crate) fn wake_one(word: &AtomicU64) {
    call(word, libc::FUTEX_WAKE, 1, None);
}

fn call(word: &AtomicU64, operation: libc::c_int, value: u32, patience: Option<Duration>) {
    let patience = patience.map(|it| libc::timespec {
        tv_sec: it.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(it.subsec_nanos()),
    });
    let patience = patience.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the word is mapped and aligned, and the time-out, if there is one, outlives the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, patience) };
}
