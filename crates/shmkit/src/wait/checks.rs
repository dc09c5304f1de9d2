//! When a handle makes the slow check.
//!
//! A check is due half a slice after the last one if a thread looks, and after a slice if a thread
//! sleeps. A slice is 50 ms, or 250 ms while death notices are armed. Then a check is also due when
//! there are news since the last one. Without news, it is also due 1 ms after the last one if a
//! thread is woken although the word did not change.
//!
//! Notices cost a thread of this process and a watch. So a waiter arms them when it has waited for
//! 2 ms, or when threads have slept for the object 16 times. What happened before that is not
//! announced. So this waiter checks at once, and a handle has slices of 50 ms until it has made a
//! check 100 ms after the notices were armed: by then the system has released the locks of a file
//! whose end it had reported before.

use std::time::{Duration, Instant};

use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sys::notices::Notices;
use crate::sys::process::milliseconds;

/// The longest time without a slow check while a thread waits.
pub(super) const SLICE: Duration = Duration::from_millis(if cfg!(loom) { 0 } else { 50 });
/// The same while death notices are armed. In a model only a notice causes a check then.
const ARMED_SLICE: Duration = Duration::from_millis(if cfg!(loom) { 1 << 31 } else { 250 });
/// A check that was made so long after the notices were armed missed nothing.
const SETTLED_AFTER_MS: u64 = if cfg!(loom) { 0 } else { 100 };
/// A waiter that has waited for this time arms the notices.
const ARM_AFTER: Duration = Duration::from_millis(if cfg!(loom) { 0 } else { 2 });
/// So does a waiter of an object for which threads have slept this often. (A sleep with a limit of
/// 2 ms costs several microseconds more than a longer one: the system sets its timer for it.)
const ARM_AFTER_SLEEPS: u64 = 16;
/// A wake without a change is followed by a slow check only if the last check was this long ago:
/// under contention the word may have changed and changed back.
const CHECKS_APART_MS: u32 = if cfg!(loom) { 0 } else { 1 };

/// What a handle remembers of its waits. All are guesses: threads may overwrite each other's.
///
/// ```text
/// 63                     32 31              16 15                0
/// +------------------------+------------------+------------------+
/// | when the last check    | when an attempt  | count of news at |
/// | was made; 0: never     | took what was    | the last check   |
/// |                        | reserved         |                  |
/// +------------------------+------------------+------------------+
///    milliseconds of this process, and the count, modulo 2^32 or 2^16
/// ```
///
/// There are fewer than 2^16 pieces of news in a slice, after which a check is due anyway.
#[derive(Debug, Default)]
pub(super) struct Checks(AtomicU64);

impl Checks {
    /// Makes the check due for the next wait.
    pub(super) fn forget(&self) {
        self.store(self.load() & u64::from(u32::MAX));
    }

    /// Begins a wait.
    pub(super) fn begin<'a>(&'a self, notices: Option<&'a Notices>) -> Timer<'a> {
        let word = self.load();
        let last_ms = Some((word >> 32) as u32).filter(|ms| *ms != 0 && !cfg!(loom));
        Timer { checks: self, notices, last_ms, counted: word as u16, seen: 0 }
    }

    /// Returns whether an attempt takes what is reserved for others: once in a slice.
    pub(super) fn takes_reserved(&self, now: Instant) -> bool {
        let (before, ms) = (self.load(), (milliseconds(now) as u16).max(1));
        let last_ms = (before >> 16) as u16;
        let takes = last_ms == 0 || u128::from(ms.wrapping_sub(last_ms)) >= SLICE.as_millis();
        if takes {
            self.store(before & !(0xffff << 16) | u64::from(ms) << 16);
        }
        takes
    }

    fn record(&self, ms: u32, news: u16) {
        self.store(u64::from(ms) << 32 | self.load() & 0xffff << 16 | u64::from(news));
    }

    fn load(&self) -> u64 {
        // ORDERING: Relaxed; it is harmless if two threads check at once.
        self.0.load(Ordering::Relaxed)
    }

    fn store(&self, word: u64) {
        // ORDERING: Relaxed; as above.
        self.0.store(word, Ordering::Relaxed);
    }
}

/// Returns a moment as it is remembered: never 0, not even when the count begins again.
fn remembered_ms(moment: Instant) -> u32 {
    (milliseconds(moment) as u32).max(1)
}

/// When a check is due in one wait.
pub(super) struct Timer<'a> {
    checks: &'a Checks,
    pub(super) notices: Option<&'a Notices>,
    /// When the last check was made.
    last_ms: Option<u32>,
    /// The count of news at that check, modulo 2^16.
    counted: u16,
    /// The count of news before the last look.
    pub(super) seen: u64,
}

impl Timer<'_> {
    /// Reads the count of news: before each look.
    pub(super) fn read_news(&mut self) {
        self.seen = self.notices.map_or(0, Notices::news);
    }

    /// Returns how long ago the last check was made, and how long a slice is.
    fn age_and_slice(&self, now: Instant) -> Option<(Duration, Duration)> {
        let (now_ms, last_ms) = (milliseconds(now), self.last_ms?);
        let age_ms = (now_ms as u32).wrapping_sub(last_ms).into();
        let armed_ms = self.notices.and_then(Notices::armed_since_ms);
        if cfg!(loom) && armed_ms.is_none() {
            // Time stands still in a model, so each look checks.
            return None;
        }
        let is_covered = armed_ms.is_some_and(|it| it + SETTLED_AFTER_MS + age_ms <= now_ms);
        let slice = if is_covered { ARMED_SLICE } else { SLICE };
        Some((Duration::from_millis(age_ms), slice))
    }

    /// Returns whether a check is due. The caller makes it then.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        // Early: a short sleep for the rest of a slice would often end just when a wake comes.
        let is_due = self.seen as u16 != self.counted
            || self.age_and_slice(now).is_none_or(|(age, slice)| age > slice / 2);
        if is_due {
            let (now_ms, seen) = (remembered_ms(now), self.seen as u16);
            (self.last_ms, self.counted) = (Some(now_ms), seen);
            self.checks.record(now_ms, seen);
        }
        is_due
    }

    /// A thread was woken for what only the slow check sees.
    pub(super) fn woken_without_change(&mut self) {
        let now_ms = remembered_ms(Instant::now());
        self.last_ms = self.last_ms.filter(|last| now_ms.wrapping_sub(*last) < CHECKS_APART_MS);
    }

    /// Arms the notices if that pays, before the thread sleeps or spins on. Then a check is due
    /// first.
    pub(super) fn arm_if_useful(&mut self, waited: Duration, sleeps: bool) -> bool {
        let Some(notices) = self.notices.filter(|notices| notices.can_be_armed()) else {
            return false;
        };
        let arms = waited >= ARM_AFTER || sleeps && notices.count_sleep() >= ARM_AFTER_SLEEPS;
        let arms = arms && notices.arm();
        if arms {
            self.last_ms = None;
        }
        arms
    }

    /// Returns when a thread that sleeps from `now` on must look again.
    pub(super) fn next_look(&self, now: Instant, waited: Duration) -> Instant {
        let left = self.age_and_slice(now).map(|(age, slice)| slice.saturating_sub(age));
        let next = now + left.unwrap_or_default();
        match self.notices {
            Some(notices) if waited < ARM_AFTER && notices.can_be_armed() => {
                next.min(now + (ARM_AFTER - waited))
            }
            _ => next,
        }
    }
}
