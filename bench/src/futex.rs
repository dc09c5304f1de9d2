//! The system call, bare: sleeping on a word of the ground, in any process that has it mapped.

use std::ptr;
use std::sync::atomic::AtomicU64;

/// Sleeps while the low half of `word` is that of `found`, until it is woken; or for no reason.
pub(crate) fn wait(word: &AtomicU64, found: u64) {
    call(word, libc::FUTEX_WAIT, found as u32);
}

/// Wakes one who sleeps on `word`.
pub(crate) fn wake_one(word: &AtomicU64) {
    call(word, libc::FUTEX_WAKE, 1);
}

fn call(word: &AtomicU64, operation: libc::c_int, value: u32) {
    let none = ptr::null::<libc::timespec>();
    // SAFETY: the word is mapped and aligned, and no time-out is given.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, none) };
}
