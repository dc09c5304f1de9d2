//! The sleepers of one open object, and whether news are announced to them.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use super::figures;
use crate::sys::alarm::Alarm;
use crate::sys::process::milliseconds;
use crate::sys::sleepers::Sleepers;
pub(super) use crate::sys::sleepers::{AtomicU64, Ordering, Ring};
use crate::sys::wait::{self, Kind, WaitOutcome};

/// What is rung for the waiters of one open object.
#[derive(Debug)]
pub(super) struct Bell {
    sleepers: Sleepers,
    /// Since when news are announced, in milliseconds of this process. 0: they are not.
    armed_ms: AtomicU64,
    /// The place of this process among the participants: the slot that it took last, or 0.
    place: AtomicU64,
    /// What waiters for many objects sleep on.
    alarms: Mutex<Vec<Weak<Alarm>>>,
}

impl Default for Bell {
    fn default() -> Self {
        let [armed_ms, place] = [0; 2].map(AtomicU64::new);
        Self { sleepers: Sleepers::default(), armed_ms, place, alarms: Mutex::default() }
    }
}

impl Bell {
    /// Returns since when news are announced, in milliseconds of this process.
    pub(super) fn armed_since_ms(&self) -> Option<u64> {
        // ORDERING: Acquire; pairs with the Release in `arm`: the watch exists.
        Some(self.armed_ms.load(Ordering::Acquire)).filter(|ms| *ms != 0)
    }

    /// From now on news are announced.
    pub(super) fn arm(&self) {
        // ORDERING: Release; pairs with the Acquire above.
        self.armed_ms.store(milliseconds(Instant::now()), Ordering::Release);
    }

    /// From now on news are not announced. This is the last piece of news.
    pub(super) fn disarm(&self) {
        // ORDERING: Release; as in `arm`.
        self.armed_ms.store(0, Ordering::Release);
        self.announce();
    }

    /// Returns the place of this process among the participants.
    pub(super) fn place(&self) -> u64 {
        // ORDERING: Relaxed; a guess.
        self.place.load(Ordering::Relaxed)
    }

    pub(super) fn set_place(&self, place: u64) {
        // ORDERING: Relaxed; as above.
        self.place.store(place, Ordering::Relaxed);
    }

    /// S1: returns the count of news.
    pub(super) fn news(&self) -> u64 {
        self.sleepers.news()
    }

    /// S3 to S5: sleeps on a word, unless there are news since the count was `seen`.
    pub(super) fn sleep(
        &self,
        word: &AtomicU64,
        expected: u64,
        until: Option<Instant>,
        seen: u64,
        kind: Kind,
    ) -> WaitOutcome {
        let sleep = || wait::wait(word, expected, until, kind);
        self.sleepers.sleep(word, expected, seen, kind, sleep)
    }

    /// Returns how many threads are in the list.
    #[cfg(all(test, windows))]
    pub(super) fn sleepers(&self) -> usize {
        self.sleepers.count()
    }

    /// R2: counts one more piece of news.
    pub(super) fn announce(&self) {
        figures::count_announcement();
        self.sleepers.announce();
        let alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner).clone();
        alarms.iter().filter_map(Weak::upgrade).for_each(|alarm| alarm.ring());
    }

    /// From now on each piece of news rings the alarm, after it was counted, while the alarm lives.
    pub(super) fn add_alarm(&self, alarm: &Arc<Alarm>) {
        let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        alarms.retain(|other| other.strong_count() > 0);
        if !alarms.iter().any(|other| other.as_ptr() == Arc::as_ptr(alarm)) {
            alarms.push(Arc::downgrade(alarm));
        }
    }

    /// R3: wakes those that were in the list when the last piece of news was counted. Returns
    /// whether there were any.
    pub(super) fn ring(&self, ring: Ring) -> bool {
        self.sleepers.ring(ring)
    }
}
