//! Shared futexes: never private, since the other side is another process.

#![allow(unsafe_code, reason = "a futex is half of a 64-bit word")]

use core::sync::atomic::{AtomicU32, AtomicU64};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::{Timespec, futex};

use super::Woke;

/// How often to look where the system refuses to let us sleep on a word.
const WITHOUT_FUTEX: Duration = Duration::from_millis(1);

/// Sleeps while the low half of `word` is that of `expected`, until woken or until `until`.
///
/// Signals are slept through. A mapping without write permission is enough.
pub(crate) fn wait(word: &AtomicU64, expected: u64, until: Option<Instant>) -> Woke {
    loop {
        let timeout = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(left) if left.is_zero() => return Woke::TimedOut,
            // More than the clock can count is for ever.
            Some(left) => Timespec::try_from(left).ok(),
            None => None,
        };
        match futex::wait(half(word), futex::Flags::empty(), expected as u32, timeout.as_ref()) {
            Ok(()) => return Woke::Woken,
            Err(Errno::AGAIN) => return Woke::Changed,
            Err(Errno::TIMEDOUT) => return Woke::TimedOut,
            Err(Errno::INTR) => {}
            Err(_) => {
                // A sandbox that forbids futexes. Looking again is sound, but must not be spinning.
                thread::sleep(WITHOUT_FUTEX);
                return Woke::Woken;
            }
        }
    }
}

/// Wakes one who sleeps on `word`.
pub(crate) fn wake_one(word: &AtomicU64) {
    wake(word, 1);
}

/// Wakes all who sleep on `word`.
pub(crate) fn wake_all(word: &AtomicU64) {
    wake(word, i32::MAX as u32);
}

fn wake(word: &AtomicU64, most: u32) {
    // A wake is a hint: an error leaves the sleepers to their next look.
    let _ = futex::wake(half(word), futex::Flags::empty(), most);
}

/// The half of `word` that the kernel compares.
fn half(word: &AtomicU64) -> &AtomicU32 {
    const { assert!(cfg!(target_endian = "little"), "the low half comes first") };
    // SAFETY: the low half lies at the word's address, is aligned, and lives as long as the word.
    // Only the kernel accesses it, and only as an atomic read.
    unsafe { AtomicU32::from_ptr(word.as_ptr().cast()) }
}
