//! A moment that the waiters of all processes compare.

use std::time::Duration;

use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sys::process::unix_time_ns;

/// A word of shared memory for a moment: nanoseconds since 1970, or 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedMoment<'a>(&'a AtomicU64);

/// A bit of the word, which is not a part of the time.
const MARK: u64 = 1;

impl<'a> SharedMoment<'a> {
    #[inline(always)]
    pub(crate) fn in_word(word: &'a AtomicU64) -> Self {
        Self(word)
    }

    /// Returns whether the moment was such a time ago at most. Whatever the word contains, this is
    /// false after that time.
    pub(crate) fn is_within(self, time: Duration) -> bool {
        self.left_of(time).is_some()
    }

    /// Returns how much is left of such a time, which began at the moment, and whether that is
    /// marked.
    pub(crate) fn left_of(self, time: Duration) -> Option<(Duration, bool)> {
        // ORDERING: Relaxed; a guess, which is wrong after the clock was set.
        let word = self.0.load(Ordering::Relaxed);
        let ago = Duration::from_nanos(unix_time_ns().wrapping_sub(word & !MARK));
        let left = time.checked_sub(ago).filter(|left| !left.is_zero())?;
        Some((left, word & MARK != 0))
    }

    /// Stores this moment.
    pub(crate) fn record(self) {
        self.record_marked(false);
    }

    /// Stores this moment, marked or not.
    pub(crate) fn record_marked(self, is_marked: bool) {
        // ORDERING: Relaxed; as above.
        self.0.store(unix_time_ns() & !MARK | u64::from(is_marked), Ordering::Relaxed);
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
        moment.record_marked(true);
        // Unless this thread was interrupted for that time.
        assert!(moment.left_of(TIME).is_none_or(|(left, is_marked)| left <= TIME && is_marked));
        moment.forget();
        assert!(!moment.is_within(TIME));
    }
}
