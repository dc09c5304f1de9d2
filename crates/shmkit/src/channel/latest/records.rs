//! What a writer records of each value, besides the value: a check on a disk, the time on request.
//!
//! One word of a kind for each slot, stored between the value and its stamp "complete". So a reader
//! that finds this stamp before and after it loads the word has the word of that value.

use std::time::{Duration, SystemTime};

use super::check::{check_of, check_of_words};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sys::process;

/// The words of the records that an object has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'a> {
    /// On a disk: the checks of the slots.
    checks: Option<&'a [AtomicU64]>,
    /// When the value in each slot was set.
    times: Option<&'a [AtomicU64]>,
}

impl<'a> Records<'a> {
    pub(crate) const NONE: Self = Self { checks: None, times: None };

    pub(crate) fn new(checks: Option<&'a [AtomicU64]>, times: Option<&'a [AtomicU64]>) -> Self {
        Self { checks, times }
    }

    /// Records the value that the slot at `index` contains, with its stamp "complete": it is set
    /// now.
    #[inline(always)]
    pub(super) fn store(self, index: usize, stamp: u64, value: &[u8]) {
        if self.times.is_some() || self.checks.is_some() {
            self.store_of(index, stamp, value, self.now_ns());
        }
    }

    /// The same of a value that was set at `time`.
    pub(super) fn store_of(self, index: usize, stamp: u64, value: &[u8], time: u64) {
        if let Some(times) = self.times {
            // ORDERING: Relaxed; ordered by the release of the stamp "complete".
            times[index].store(time, Ordering::Relaxed);
        }
        if let Some(checks) = self.checks {
            let check = check_of(stamp, self.times.map(|_| time), value);
            // ORDERING: Relaxed; as above.
            checks[index].store(check, Ordering::Relaxed);
        }
    }

    /// Whether the check of the slot at `index` is that of this value. The caller orders the look.
    pub(super) fn is_right(self, index: usize, stamp: u64, value: &[AtomicU64]) -> bool {
        // ORDERING: Relaxed; the caller compares the stamp before and after this.
        let check = self.checks.map(|checks| checks[index].load(Ordering::Relaxed));
        check == Some(check_of_words(stamp, self.time(index), value))
    }

    /// When the value in the slot at `index` was set, if that is recorded. The caller orders the
    /// look.
    pub(super) fn time(self, index: usize) -> Option<u64> {
        // ORDERING: Relaxed; the caller compares the stamp before and after this.
        self.times.map(|times| times[index].load(Ordering::Relaxed))
    }

    /// This moment, in nanoseconds, on the clock of the object.
    ///
    /// In memory that is the time since boot, which no process can set. On a disk, where values
    /// outlive this run of the machine, it is the wall clock: the time since 1970.
    pub(super) fn now_ns(self) -> u64 {
        now_ns(self.checks.is_some())
    }

    /// Returns how long ago that moment was, or by how much it is ahead.
    pub(super) fn age(self, time: u64) -> Result<Duration, Duration> {
        let (now, of_ns) = (self.now_ns(), Duration::from_nanos);
        now.checked_sub(time).map(of_ns).ok_or_else(|| of_ns(time - now))
    }

    /// Whether there is a check for each of `count` slots, and a time if there are times.
    pub(super) fn has_checks_of(self, count: usize) -> bool {
        self.checks.is_some_and(|checks| checks.len() >= count)
            && self.times.is_none_or(|times| times.len() >= count)
    }
}

/// The moment of this age, by the wall clock.
pub(super) fn date(age: Duration) -> SystemTime {
    SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// This moment on the clock of an object on a disk, or of one in memory.
pub(super) fn now_ns(is_on_disk: bool) -> u64 {
    match is_on_disk {
        false => process::since_boot_ns(),
        true => process::unix_time_ns(),
    }
}
