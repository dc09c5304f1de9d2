//! When a handle makes the slow check.
//!
//! A check is due half a slice after the last one if a thread looks, and after a slice if a thread
//! sleeps. A slice is 50 ms, on Linux 1 s while death notices are armed. Then a check is also due
//! when there is news since the last one. Without news, it is also due 1 ms after the last one if
//! a thread is woken although the word did not change. If it is due only because time has passed
//! while every death is announced, it does not ask about all holders: see `extent`.
//!
//! Notices cost a thread of this process and a watch. So a waiter arms them when it has waited for
//! 2 ms, or when threads have slept for the object several times: on Windows before the first one.
//! What happened before that is not announced. So this waiter checks at once, and a handle has
//! slices of 50 ms until it has made a check 100 ms after the notices were armed: by then the
//! system has released the locks of a file whose end it had reported before.

use std::time::{Duration, Instant};

use super::extent::Extent;
use super::remembered::{CHECKED_MS, NEWS, Remembered, TAKEN_MS};
use crate::sys::notices::{ANNOUNCES_EVERY_DEATH, ARM_AT_SLEEP, ObjectNotices};
use crate::sys::process::milliseconds;

/// The longest time without a slow check while a thread waits.
pub(super) const SLICE: Duration = Duration::from_millis(if cfg!(loom) { 0 } else { 50 });
/// The same while every death is announced. In a model only a notice causes a check then.
pub(super) const ARMED_SLICE: Duration =
    Duration::from_millis(if cfg!(loom) { 1 << 31 } else { 1_000 });
/// A check that was made so long after the notices were armed missed nothing.
const SETTLED_AFTER_MS: u64 = if cfg!(loom) { 0 } else { 100 };
/// A waiter that has waited for this time arms the notices.
const ARM_AFTER: Duration = Duration::from_millis(if cfg!(loom) { 0 } else { 2 });
/// A wake without a change is followed by a slow check only if the last check was this long ago:
/// under contention the word may have changed and changed back.
const CHECKS_APART_MS: u64 = if cfg!(loom) { 0 } else { 1 };

/// When a check is due in one wait.
pub(super) struct Timer<'a> {
    remembered: &'a Remembered,
    pub(super) notices: Option<ObjectNotices<'a>>,
    /// When the last check was made, as it is remembered.
    last_ms: Option<u64>,
    /// The count of news at that check, as it is remembered.
    counted: u64,
    /// The count of news before the last look.
    pub(super) seen: u64,
    /// All that can be announced is, as far as the last call of `arm_if_useful` found out.
    is_armed: bool,
}

/// Makes the check due for the next wait.
pub(super) fn forget_check(remembered: &Remembered) {
    remembered.set([(CHECKED_MS, 0)]);
}

/// Returns whether an attempt takes what is reserved for others: once in a slice.
pub(super) fn takes_reserved(remembered: &Remembered, now: Instant) -> bool {
    let (last_ms, ms) = (remembered.get(TAKEN_MS), TAKEN_MS.cut_moment(now));
    let age_ms = TAKEN_MS.cut(ms.wrapping_sub(last_ms));
    let takes = last_ms == 0 || u128::from(age_ms) >= SLICE.as_millis();
    if takes {
        remembered.set([(TAKEN_MS, ms)]);
    }
    takes
}

/// The last check before a moment.
struct LastCheck {
    age: Duration,
    /// Whether what happened since then is announced.
    is_covered: bool,
}

impl LastCheck {
    fn slice(&self) -> Duration {
        if self.is_covered { ARMED_SLICE } else { SLICE }
    }
}

impl<'a> Timer<'a> {
    /// Begins a wait.
    pub(super) fn begin(remembered: &'a Remembered, notices: Option<ObjectNotices<'a>>) -> Self {
        let last_ms = Some(remembered.get(CHECKED_MS)).filter(|ms| *ms != 0 && !cfg!(loom));
        let counted = remembered.get(NEWS);
        Self { remembered, notices, last_ms, counted, seen: 0, is_armed: false }
    }

    /// Reads the count of news: before each look.
    pub(super) fn read_news(&mut self) {
        self.seen = self.notices.map_or(0, |notices| notices.news());
    }

    fn last_check(&self, now: Instant) -> Option<LastCheck> {
        let (now_ms, last_ms) = (milliseconds(now), self.last_ms?);
        let age_ms = CHECKED_MS.cut(now_ms.wrapping_sub(last_ms));
        let armed_ms = self.notices.and_then(|notices| notices.armed_since_ms());
        if cfg!(loom) && armed_ms.is_none() {
            // Time stands still in a model, so each look checks.
            return None;
        }
        let is_covered = ANNOUNCES_EVERY_DEATH
            && armed_ms.is_some_and(|it| it + SETTLED_AFTER_MS + age_ms <= now_ms);
        Some(LastCheck { age: Duration::from_millis(age_ms), is_covered })
    }

    /// Whether all that a check could find is announced, and nothing was since the last one.
    pub(super) fn has_no_news(&self, now: Instant) -> bool {
        NEWS.cut(self.seen) == self.counted
            && self.last_check(now).is_some_and(|last| last.is_covered)
    }

    /// Returns the extent of a check that is due. The caller makes it then.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Extent<'a>> {
        let (has_news, last) = (NEWS.cut(self.seen) != self.counted, self.last_check(now));
        // Early: a short sleep for the rest of a slice would often end just when a wake comes.
        if !has_news && last.as_ref().is_some_and(|last| last.age <= last.slice() / 2) {
            return None;
        }
        let (now_ms, seen) = (CHECKED_MS.cut_moment(now), NEWS.cut(self.seen));
        (self.last_ms, self.counted) = (Some(now_ms), seen);
        self.remembered.set([(CHECKED_MS, now_ms), (NEWS, seen)]);
        // After a longer time without a check the count of news may have come round.
        let follows = |last: LastCheck| last.is_covered && last.age < 2 * ARMED_SLICE;
        Some(Extent::next(self.remembered, !has_news && last.is_some_and(follows)))
    }

    /// A thread was woken for what only the slow check sees.
    pub(super) fn woken_without_change(&mut self) {
        let now_ms = milliseconds(Instant::now());
        let age_ms = |last_ms: &u64| CHECKED_MS.cut(now_ms.wrapping_sub(*last_ms));
        self.last_ms = self.last_ms.filter(|last_ms| age_ms(last_ms) < CHECKS_APART_MS);
    }

    /// Arms the notices if that pays, before the thread sleeps or spins on. Then a check is due
    /// first.
    pub(super) fn arm_if_useful(&mut self, waited: Duration, sleeps: bool) -> bool {
        let Some(notices) = self.notices.filter(|notices| notices.can_be_armed()) else {
            return false;
        };
        self.is_armed = waited >= ARM_AFTER || sleeps && notices.count_sleep() >= ARM_AT_SLEEP;
        let arms = self.is_armed && notices.arm();
        if arms {
            self.last_ms = None;
        }
        arms
    }

    /// Returns when a thread that sleeps from `now` on must look again: after `at_most`, if no
    /// change wakes it.
    pub(super) fn next_look(
        &self,
        now: Instant,
        waited: Duration,
        at_most: Option<Duration>,
    ) -> Instant {
        if let Some(at_most) = at_most {
            return now + at_most;
        }
        let left = self.last_check(now).map(|last| last.slice().saturating_sub(last.age));
        let next = now + left.unwrap_or_default();
        match self.notices {
            Some(notices) if waited < ARM_AFTER && !self.is_armed && notices.can_be_armed() => {
                next.min(now + (ARM_AFTER - waited))
            }
            _ => next,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sys::notices::{Nobody, Notices};

    /// What is asked about by a check that is made so long after the notices were armed.
    fn extent(timer: &mut Timer<'_>, begun: Instant, after_ms: u64) -> Option<&'static str> {
        timer.read_news();
        match timer.take_due(begun + Duration::from_millis(after_ms))? {
            Extent::Everything => Some("everything"),
            Extent::Few(_) => Some("a few"),
        }
    }

    fn assert_each_asks_about_everything(notices: Option<ObjectNotices<'_>>, begun: Instant) {
        let remembered = Remembered::default();
        let mut timer = Timer::begin(&remembered, notices);
        for slice in 0..100 {
            let everything = Some("everything");
            assert_eq!(extent(&mut timer, begun, slice * 50), everything, "slice {slice}");
            assert_eq!(extent(&mut timer, begun, slice * 50 + 24), None, "slice {slice}");
        }
    }

    #[test]
    fn without_notices_each_check_asks_about_everything() {
        assert_each_asks_about_everything(None, Instant::now());
    }

    #[test]
    fn with_notices_a_check_that_nothing_caused_asks_about_a_few() {
        let (remembered, notices) = (Remembered::default(), Notices::armed_in_test());
        let now = Instant::now();
        let armed_ms = notices.armed_since_ms().unwrap();
        let begun = now - Duration::from_millis(milliseconds(now) - armed_ms);
        let about_nobody = Some(notices.about(&Nobody));
        if !ANNOUNCES_EVERY_DEATH {
            return assert_each_asks_about_everything(about_nobody, begun);
        }
        let mut timer = Timer::begin(&remembered, about_nobody);
        for (after_ms, expected, what) in [
            (0, Some("everything"), "the first check"),
            (50, Some("everything"), "what happened before may not be announced"),
            (150, Some("everything"), "as above"),
            (200, None, "from here on slices are longer"),
            (1_150, Some("everything"), "the first check that nothing caused"),
            (1_600, None, "no slice is over"),
            (2_150, Some("a few"), "nothing has happened"),
            (3_150, Some("a few"), "nothing has happened"),
        ] {
            assert_eq!(extent(&mut timer, begun, after_ms), expected, "{after_ms} ms: {what}");
        }
        notices.announce_in_test();
        for (after_ms, expected, what) in [
            (3_151, Some("everything"), "there are news"),
            (3_152, None, "there are no more news"),
            (4_152, Some("everything"), "the news may have come too early"),
            (5_152, Some("a few"), "nothing has happened"),
            (9_152, Some("everything"), "the count of news may have come round"),
        ] {
            assert_eq!(extent(&mut timer, begun, after_ms), expected, "{after_ms} ms: {what}");
        }
        // Another thread of the handle, or its next wait.
        let mut timer = Timer::begin(&remembered, about_nobody);
        assert_eq!(extent(&mut timer, begun, 9_652), None);
        timer.woken_without_change();
        assert_eq!(extent(&mut timer, begun, 9_653), Some("everything"));
    }
}
