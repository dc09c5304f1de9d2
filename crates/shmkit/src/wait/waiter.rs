//! The loop that every wait runs: it spins, then polls, checks, marks the word and sleeps until
//! what it waits for is there.
//!
//! ```text
//!                spin: look for as long as that paid recently -----------> done
//!                v
//!         +--> poll: ready? ---------------------------------------------> done
//!         |      | slow check, if it is due ------------------------------> done
//!         |      | the deadline has passed, and one more poll -----------> timed out
//!         |      v
//!         |    mark: exchange the word that was seen for the same with ASLEEP
//!         |      v
//!         +--- sleep until woken, until the deadline, or for a slice
//! ```
//!
//! A waiter continues when a word changes, and each change is followed by a wake. Some events cause
//! no wake, for example a death, or a name that was removed by hand. The **slow check** finds them.
//! A handle makes it 25 ms (half a slice) after its last one if a thread looks, after 50 ms (a
//! slice) if a thread sleeps, and after 1 ms if a thread is woken although the word did not change.
//!
//! # Handoffs
//!
//! A waiter that slept and has waited for 1 ms is *starving*. Its protocol may then mark the word
//! with a request for a handoff. A free lock is then *reserved*: threads that have not slept for it
//! leave it to threads that have, and sleep; but for one slice at most, since the waiter that
//! requested the handoff may be dead or stopped. An attempt, which does not wait, ignores handoffs.

use core::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::Until;
use super::spin::{AdaptiveSpin, Looks};
use super::word::{ASLEEP, WaitWord, Wake};
use crate::memory::atomic::{AtomicU64, Ordering, spin_loop};
use crate::sys::fork::Once;
use crate::sys::wait::WaitOutcome;

/// The longest time without a slow check while a thread waits.
const SLICE: Duration = Duration::from_millis(if cfg!(loom) { 0 } else { 50 });
/// A waiter that slept and has waited for this time may request a handoff.
const STARVES_AFTER: Duration = Duration::from_millis(if cfg!(loom) { 0 } else { 1 });

/// A wake without a change is followed by a slow check only if the last check was this long ago:
/// under contention the word may have changed and changed back.
const CHECKS_APART: Duration = Duration::from_millis(if cfg!(loom) { 0 } else { 1 });

/// What a look found.
#[derive(Debug)]
pub(crate) enum Poll<'a, T> {
    /// The result of the wait.
    Ready(T),
    /// Nothing yet. This is the word to sleep on.
    Pending(SleepTicket<'a>),
    /// Free, but reserved for other waiters by a handoff: the waiter leaves it to them, for a slice
    /// at most.
    Reserved(SleepTicket<'a>),
}

/// What a waiter needs to sleep: the word, its value at the look, and the value to mark it with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SleepTicket<'a> {
    word: WaitWord<'a>,
    seen: u64,
    marked: u64,
}

impl<'a> SleepTicket<'a> {
    /// To sleep on `word`, which was `seen` before the look: ASLEEP marks it.
    #[inline]
    pub(crate) fn new(word: WaitWord<'a>, seen: u64) -> Self {
        Self { word, seen, marked: seen | ASLEEP }
    }

    /// The same, with another value to mark the word with.
    #[inline]
    pub(crate) fn marked(self, marked: u64) -> Self {
        Self { marked, ..self }
    }

    /// The same, for a waiter that may not write to the word.
    pub(crate) fn unmarked(self) -> Self {
        self.marked(self.seen)
    }

    /// Marks the word. False if it changed since the look.
    fn mark_asleep(&self) -> bool {
        // CRASH: dying with the mark set costs the next waker an unnecessary wake.
        // ORDERING: Relaxed; the mark carries nothing, and the kernel compares the word itself.
        let order = Ordering::Relaxed;
        self.seen == self.marked
            || self.word.change(self.seen, self.marked, order, Wake::Moved).is_ok()
    }

    fn is_unchanged(&self) -> bool {
        // ORDERING: Relaxed; the next poll has the ordering.
        self.word.load(Ordering::Relaxed) == self.marked
    }
}

/// How a waiter stands, for the `poll` of its protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// It does not wait: it ignores handoffs.
    pub(crate) is_attempt: bool,
    /// It slept in this wait: it may have received a wake that another waiter needs.
    pub(crate) slept: bool,
    /// It slept, and has waited for 1 ms: it may request a handoff when it marks the word.
    pub(crate) starves: bool,
    /// It marked the word while it starved.
    pub(crate) requested: bool,
    /// It has left the reserved word to other waiters for a slice.
    pub(crate) patience_is_over: bool,
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) struct Waited<T> {
    /// What was found. `None`: the time is over.
    pub(crate) found: Option<T>,
    /// It slept: another waiter may need a wake that it received.
    pub(crate) slept: bool,
    /// It marked the word while it starved: it may have requested a handoff.
    pub(crate) requested: bool,
}

/// The one loop by which the threads of a handle wait for a word, with what the handle learnt:
/// whether spinning pays, and when it last made the slow check.
#[derive(Debug)]
pub(crate) struct WaitLoop {
    spin: AdaptiveSpin,
    /// When the last slow check was made, in milliseconds of this process. 0: a check is due.
    checked_ms: AtomicU64,
}

impl Default for WaitLoop {
    fn default() -> Self {
        Self::with_looks(&Looks::FOR_ANSWER)
    }
}

impl WaitLoop {
    /// The loop for a lock, which is held for a short time: shorter spins.
    pub(crate) fn of_lock() -> Self {
        Self::with_looks(&Looks::FOR_LOCK)
    }

    /// From now on, threads sleep at once.
    pub(crate) fn stop_spinning(&mut self) {
        self.spin = AdaptiveSpin::new(&Looks::NONE);
    }

    fn with_looks(looks: &'static Looks) -> Self {
        Self { spin: AdaptiveSpin::new(looks), checked_ms: AtomicU64::new(0) }
    }

    /// Makes the slow check due for the next wait.
    pub(crate) fn forget_check(&self) {
        // ORDERING: Relaxed; it is harmless if two threads check at once.
        self.checked_ms.store(0, Ordering::Relaxed);
    }

    /// Waits until `poll` is ready, or `check` finds something, or the time of `until` is over.
    ///
    /// `poll` is cheap and is called often. `check` is the slow check.
    #[inline]
    pub(crate) fn wait<'a, T>(
        &self,
        until: Until,
        poll: impl FnMut(&Standing) -> Poll<'a, T>,
        check: impl FnMut() -> Option<T>,
    ) -> Waited<T> {
        self.wait_looking(
            &mut (poll, check),
            until,
            |(poll, _)| match poll(&Standing::default()) {
                Poll::Ready(found) => ControlFlow::Break(Some(found)),
                Poll::Pending(_) => ControlFlow::Continue(()),
                Poll::Reserved(_) => ControlFlow::Break(None),
            },
            |(poll, _), standing| poll(standing),
            |(_, check)| check(),
        )
    }

    /// The same, with a cheaper `look` while the waiter spins. It breaks with what it found, or
    /// with `None` if it is time to sleep.
    #[inline]
    pub(crate) fn wait_looking<'a, C, T>(
        &self,
        context: &mut C,
        until: Until,
        look: impl FnMut(&mut C) -> ControlFlow<Option<T>>,
        mut poll: impl FnMut(&mut C, &Standing) -> Poll<'a, T>,
        mut check: impl FnMut(&mut C) -> Option<T>,
    ) -> Waited<T> {
        let mut standing = Standing { is_attempt: until == Until::Now, ..Standing::default() };
        if !standing.is_attempt
            && let Some(found) = self.spin(context, look)
        {
            return Waited { found: Some(found), slept: false, requested: false };
        }
        let (mut since, mut last_check, mut patience) = (None, self.last_check(), None);
        let mut woke = WaitOutcome::Changed;
        let found = loop {
            let mut polled = poll(context, &standing);
            if let Poll::Ready(found) = polled {
                late::count_if(woke == WaitOutcome::TimedOut);
                break Some(found);
            }
            let now = Instant::now();
            // Early: a short sleep for the rest of a slice would often end just when a wake comes.
            let check_is_due = last_check.is_none_or(|last| now.duration_since(last) > SLICE / 2);
            if check_is_due {
                self.record_check(now);
                last_check = Some(now);
                if let Some(found) = check(context) {
                    break Some(found);
                }
            }
            let (before, is_over) = (standing, until.is_over(now));
            let waited = now - *since.get_or_insert(now);
            standing.starves = standing.slept && waited >= STARVES_AFTER;
            standing.patience_is_over = patience.is_some_and(|end| end <= now);
            if check_is_due || is_over || standing != before {
                polled = poll(context, &standing);
            }
            let next_check = last_check.map_or(now, |last| last + SLICE);
            let (ticket, slice_end) = match polled {
                Poll::Ready(found) => break Some(found),
                // What arrived at the last moment has arrived: the poll came after the deadline.
                _ if is_over => break None,
                Poll::Pending(ticket) => (ticket, next_check),
                Poll::Reserved(ticket) => (ticket, *patience.get_or_insert(now + SLICE)),
            };
            woke = WaitOutcome::Changed;
            if ticket.mark_asleep() {
                standing.requested |= standing.starves;
                woke = ticket.word.sleep(ticket.marked, until.or_before(slice_end));
                standing.slept |= woke != WaitOutcome::Changed;
                if woke == WaitOutcome::Woken && ticket.is_unchanged() {
                    // Woken for what only the slow check sees.
                    last_check = last_check.filter(|last| last.elapsed() < CHECKS_APART);
                }
            }
        };
        Waited { found, slept: standing.slept, requested: standing.requested }
    }

    /// Looks at once, and then for as long as that paid recently. `None`: it is time to sleep.
    #[inline]
    fn spin<C, T>(
        &self,
        context: &mut C,
        mut look: impl FnMut(&mut C) -> ControlFlow<Option<T>>,
    ) -> Option<T> {
        if let ControlFlow::Break(found) = look(context) {
            return found;
        }
        for needed in 1..=self.spin.looks() {
            spin_loop();
            match look(context) {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(None) => return None,
                ControlFlow::Break(found) => {
                    self.spin.learn(Some(needed));
                    return found;
                }
            }
        }
        self.spin.learn(None);
        None
    }

    /// Returns when the handle made its last slow check.
    fn last_check(&self) -> Option<Instant> {
        if cfg!(loom) {
            return None;
        }
        // ORDERING: Relaxed; two threads that check at once do no harm.
        let ms = self.checked_ms.load(Ordering::Relaxed);
        Some(clock_start() + Duration::from_millis(ms.checked_sub(1)?))
    }

    /// Records that the slow check was made, for the waits of the handle that begin later.
    fn record_check(&self, now: Instant) {
        if !cfg!(loom) {
            let ms = now.saturating_duration_since(clock_start()).as_millis() as u64 + 1;
            // ORDERING: Relaxed; as above.
            self.checked_ms.store(ms, Ordering::Relaxed);
        }
    }
}

/// Returns the moment from which this process counts milliseconds.
fn clock_start() -> Instant {
    static START: Once<Instant> = Once::new();
    *START.get_or_make(Instant::now)
}

/// How many times a waiter found a change at the end of its slice, without a wake.
mod late {
    #[cfg(all(feature = "crash-points", not(loom)))]
    pub(super) static COUNT: super::AtomicU64 = super::AtomicU64::new(0);

    pub(super) fn count_if(is_late: bool) {
        // ORDERING: Relaxed; a figure for tests.
        #[cfg(all(feature = "crash-points", not(loom)))]
        COUNT.fetch_add(is_late.into(), super::Ordering::Relaxed);
        let _ = is_late;
    }
}

/// Returns how many times a waiter of this process found a change at the end of its slice, without
/// a wake.
#[cfg(all(feature = "crash-points", not(loom)))]
pub(crate) fn late_finds() -> u64 {
    // ORDERING: Relaxed; a figure for tests.
    late::COUNT.load(Ordering::Relaxed)
}
