//! Waiting for any of many sources.
//!
//! ```text
//!         +--> load the count of the alarm
//!         |      v
//!         |    look at all: one is ready? -----------------------> ready
//!         |      | slow checks that are due: the same -----------> ready
//!         |      | the time is over, or the wait is stopped -----> timed out, stopped
//!         |      v
//!         |    mark the words of all; one is ready or has changed? --+
//!         |      v                                                   |
//!         +--- sleep on the alarm and all the words <----------------+
//! ```
//!
//! It takes nothing: the caller does, from those that are ready. The state counts and not its
//! change, so what is ready already wakes at once.
//!
//! # Why no wake is lost
//!
//! For each word alone, as in `word`: the thread marks it, and sleeps only if none of them has
//! changed since. What changes no word rings the alarm: news of a death, a source that is added.
//!
//! A wake of one waiter can reach this thread, which does not take what it announces. So after each
//! sleep it marks the words again for their other sleepers, and wakes one of each word for which
//! there is something. The system may report one wake where the thread received several. So it does
//! that for all words on which it slept.
//!
//! # Many sources
//!
//! A thread sleeps on a limited number of words, its alarm among them. What is beyond that is left
//! to *lookouts*: threads of the group, each with as many sources. A lookout that is armed looks at
//! its sources; if none is ready it sleeps on their words, otherwise it is disarmed and rings the
//! alarm. The waiter arms all lookouts before it sleeps. It loads the count of the alarm before it
//! sees that a lookout is armed. So a ring of that lookout is behind that load.
//!
//! # Slow checks
//!
//! Each source remembers its last check, as a handle does. While its notices are armed, and
//! announce every death, as on Linux, only news cause one; beside that, a few sources are checked
//! once in a second, in turn. So an idle thread wakes once in a second, however many sources it
//! waits for. Where notices do not announce every death, as on Windows, an idle thread wakes each
//! 25 to 50 ms, and checks every source: that costs system calls for each.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Until;
use super::checks::{ARMED_SLICE, Timer, forget_check};
use super::entries::{Entries, Entry, PART, Shared, Sleep};
use super::lookouts::Lookouts;
use super::source::{Readiness, Source};
use super::stop::{Stop, Stops};
use super::waiter::figures;
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sys::process::milliseconds;
use crate::sys::wait::{Kind, Many, WaitOutcome};

/// How many sources without news are checked at a time.
const CHECKED_IN_TURN: usize = 8;
/// The time between looks if a lookout cannot be started.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Why a wait ended in which nothing was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotReady {
    /// The time is over.
    TimedOut,
    /// The wait was stopped.
    Stopped(Stop),
}

/// Sources that threads wait for together. Any thread adds and removes some, also meanwhile.
pub(crate) struct Group {
    shared: Arc<Shared>,
    lookouts: Lookouts,
    /// When sources without news were last checked in turn, in milliseconds of this process.
    checked_ms: AtomicU64,
    /// The next of them.
    turn: AtomicU64,
}

impl Group {
    pub(crate) fn new() -> Self {
        let [checked_ms, turn] = [0; 2].map(AtomicU64::new);
        Self { shared: Arc::new(Shared::new()), lookouts: Lookouts::default(), checked_ms, turn }
    }

    /// The sources that are in it.
    pub(crate) fn entries(&self) -> Entries {
        self.shared.entries()
    }

    /// Adds sources. Their ids follow each other: returns the first one.
    pub(crate) fn add(&self, sources: impl IntoIterator<Item = Arc<dyn Source>>) -> u64 {
        let first = self.shared.add(sources);
        self.has_changed();
        first
    }

    /// Removes the sources for which this is true of their ids. Returns whether there were any.
    pub(crate) fn remove(&self, is_meant: impl Fn(u64) -> bool) -> bool {
        let has_removed = self.shared.remove(is_meant);
        if has_removed {
            self.has_changed();
        }
        has_removed
    }

    /// Makes all threads that wait for the group look again.
    pub(crate) fn has_changed(&self) {
        self.shared.alarm.ring();
        self.lookouts.ring();
    }

    /// Waits until sources are ready, and appends their ids to `ready`.
    pub(crate) fn wait(&self, until: Until, ready: &mut Vec<u64>) -> Result<(), NotReady> {
        let (shared, stops, many) = (&*self.shared, Stops::of(until), RefCell::new(Many::new()));
        let (mut since, mut slept_on, mut woke) = (None, None::<Entries>, WaitOutcome::Changed);
        loop {
            let (seen, entries) = (shared.alarm.count(), shared.entries());
            let now = Instant::now();
            let waited = now - *since.get_or_insert(now);
            look(&entries, ready);
            if let Some(before) = slept_on.take() {
                before.iter().take(PART).for_each(|entry| entry.source().pass_wake_on());
            }
            if ready.is_empty() {
                self.check(&entries, now, ready);
            }
            if !ready.is_empty() {
                figures::count_late_find_if(woke == WaitOutcome::TimedOut);
                return Ok(());
            }
            if let Some(stop) = stops.now(woke) {
                return Err(NotReady::Stopped(stop));
            }
            if until.is_over(now) {
                return Err(NotReady::TimedOut);
            }
            woke = WaitOutcome::Changed;
            if arm(&entries, now, waited) {
                // What happened before is not announced.
                continue;
            }
            let (own, others) = entries.split_at(entries.len().min(PART));
            let mut next_look = next_look(&entries, now, waited);
            if !self.lookouts.arm(&self.shared, others.len()) {
                next_look = next_look.min(now + LOOK_INTERVAL);
            }
            if let Some(Sleep { words, at_most }) = Sleep::on(&shared.alarm, seen, own) {
                let next_look = at_most.map_or(next_look, |it| next_look.min(now + it));
                let end = Some(until.or_before(next_look));
                let sleep = || many.borrow_mut().wait(&words, end);
                woke = stops.sleep(shared.alarm.word(), seen, Kind::Only, &sleep);
                slept_on = Some(entries.clone());
            }
        }
    }

    /// Makes the slow checks that are due.
    fn check(&self, entries: &[Arc<Entry>], now: Instant, ready: &mut Vec<u64>) {
        let in_turn = self.take_turn(entries.len(), now);
        for (index, entry) in entries.iter().enumerate() {
            let mut timer = Timer::begin(&entry.remembered, entry.source.notices());
            timer.read_news();
            let distance = (index + entries.len() - in_turn.start) % entries.len();
            if distance >= in_turn.len() && timer.has_no_news(now) {
                continue;
            }
            if let Some(extent) = timer.take_due(now)
                && entry.source.check(extent)
            {
                // There may be more to find, which the next wait looks for.
                forget_check(&entry.remembered);
                ready.push(entry.id);
            }
        }
    }

    /// Returns which of so many sources are checked now although they have no news: none, but for
    /// once in a second.
    fn take_turn(&self, count: usize, now: Instant) -> Range<usize> {
        let now_ms = milliseconds(now);
        // ORDERING: Relaxed; it is harmless if two threads check the same ones.
        let checked_ms = self.checked_ms.load(Ordering::Relaxed);
        if count == 0 || u128::from(now_ms.wrapping_sub(checked_ms)) < ARMED_SLICE.as_millis() {
            return 0..0;
        }
        // ORDERING: Relaxed; as above.
        self.checked_ms.store(now_ms, Ordering::Relaxed);
        // ORDERING: Relaxed; as above.
        let turn = self.turn.fetch_add(CHECKED_IN_TURN as u64, Ordering::Relaxed);
        let first = turn as usize % count;
        first..first + CHECKED_IN_TURN.min(count)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.lookouts.end();
    }
}

/// Looks at all sources.
fn look(entries: &[Arc<Entry>], ready: &mut Vec<u64>) {
    for entry in entries {
        if matches!(entry.source.poll(false), Readiness::Ready) {
            ready.push(entry.id);
        }
    }
}

/// Has the notices of all sources armed for which that is useful. Returns whether some were.
fn arm(entries: &[Arc<Entry>], now: Instant, waited: Duration) -> bool {
    let mut has_armed = false;
    for entry in entries {
        let mut timer = Timer::begin(&entry.remembered, entry.source.notices());
        timer.read_news();
        if !timer.has_no_news(now) && timer.arm_if_useful(waited, true) {
            forget_check(&entry.remembered);
            has_armed = true;
        }
    }
    has_armed
}

/// Returns when a thread that sleeps from `now` on must look again.
fn next_look(entries: &[Arc<Entry>], now: Instant, waited: Duration) -> Instant {
    let mut next = now + ARMED_SLICE;
    for entry in entries {
        let mut timer = Timer::begin(&entry.remembered, entry.source.notices());
        timer.read_news();
        if !timer.has_no_news(now) {
            next = next.min(timer.next_look(now, waited, None));
        }
    }
    next
}

#[cfg(all(test, loom))]
mod models;
