//! The bare futex system call, on words that any process may have mapped.

use std::ptr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Sleeps while the low half of `word` equals that of `found`, until a wake-up. May return early.
pub(crate) fn wait(word: &AtomicU64, found: u64) {
    call(word, libc::FUTEX_WAIT, found as u32, None);
}

/// Sleeps like `wait`, at most for `timeout`.
pub(crate) fn wait_timeout(word: &AtomicU64, found: u64, timeout: Duration) {
    call(word, libc::FUTEX_WAIT, found as u32, Some(timeout));
}

/// Wakes one thread that sleeps on `word`.
pub(crate) fn wake_one(word: &AtomicU64) {
    call(word, libc::FUTEX_WAKE, 1, None);
}

fn call(word: &AtomicU64, operation: libc::c_int, value: u32, timeout: Option<Duration>) {
    let timeout = timeout.map(|it| libc::timespec {
        tv_sec: it.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(it.subsec_nanos()),
    });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the word is mapped and aligned, and the timeout, if any, outlives the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, timeout) };
}
