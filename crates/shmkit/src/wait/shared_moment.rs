//! A moment that the waiters of all processes compare.

use std::time::Duration;

use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sys::process::unix_time_ns;

/// A word of shared memory for a moment: nanoseconds since 1970, or 0.
#[derive(Clone, Copy)]
pub(crate) struct SharedMoment<'a>(&'a AtomicU64);

impl<'a> SharedMoment<'a> {
    #[inline(always)]
    pub(crate) fn in_word(word: &'a AtomicU64) -> Self {
        Self(word)
    }

    /// Returns whether the moment was such a time ago at most. Whatever the word contains, this is
    /// false after that time.
    pub(crate) fn is_within(self, time: Duration) -> bool {
        // ORDERING: Relaxed; a guess, which is wrong after the clock was set.
        let ago_ns = unix_time_ns().wrapping_sub(self.0.load(Ordering::Relaxed));
        u128::from(ago_ns) < time.as_nanos()
    }

    /// Stores this moment.
    pub(crate) fn record(self) {
        // ORDERING: Relaxed; as above.
        self.0.store(unix_time_ns(), Ordering::Relaxed);
    }

    /// Stores that there was no such moment.
    pub(crate) fn forget(self) {
        // ORDERING: Relaxed; as above.
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_over_after_its_time_whatever_the_word_contains() {
        const TIME: Duration = Duration::from_millis(1);
        let time_ns = TIME.as_nanos() as u64;
        let word = AtomicU64::new(0);
        let moment = SharedMoment::in_word(&word);
        for garbage in [0, 1, 1 << 63, u64::MAX, unix_time_ns() + 60_000 * time_ns] {
            word.store(garbage, Ordering::Relaxed);
            assert!(!moment.is_within(TIME), "{garbage}");
        }
        moment.record();
        // Unless this thread was interrupted for that time.
        let end_ns = word.load(Ordering::Relaxed) + time_ns;
        assert!(moment.is_within(TIME) || unix_time_ns() >= end_ns);
        while unix_time_ns() < end_ns {}
        assert!(!moment.is_within(TIME));
        moment.record();
        moment.forget();
        assert!(!moment.is_within(TIME));
    }
}
