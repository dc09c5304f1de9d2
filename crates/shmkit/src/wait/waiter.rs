//! The loop that every wait runs: it spins, then polls, checks, marks the word and sleeps until
//! what it waits for is there.
//!
//! ```text
//!                spin: look for as long as that paid recently -----------> done
//!                v
//!         +--> poll: ready? ---------------------------------------------> done
//!         |      | slow check, if it is due ------------------------------> done
//!         |      | the deadline has passed, and one more poll -----------> timed out
//!         |      | its token is cancelled, or a signal came: the same ----> stopped
//!         |      | if the program wants a longer spin: some more looks --> poll
//!         |      v
//!         |    mark: exchange the word that was seen for the same with ASLEEP
//!         |      v
//!         +--- sleep until woken, until the deadline, or for a slice
//! ```
//!
//! A waiter continues when a word changes, and each change is followed by a wake. Some events cause
//! no wake, for example a death, or a name that was removed by hand. The **slow check** finds them;
//! `checks` says when it is due. A removal is told only after one more poll: what another process
//! did before it removed the object is the result of the wait.
//!
//! # Handoffs
//!
//! A waiter that slept and has waited for 1 ms is *starving*. Its protocol may then mark the word
//! with a request for a handoff. A free lock is then *reserved*: threads that have not slept for it
//! leave it to threads that have, and sleep; but for one slice at most, since the waiter that
//! requested the handoff may be dead or stopped. An attempt, and the last look of a wait, take what
//! is reserved once in a slice.

use core::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::Until;
use super::checks::{SLICE, Timer, forget_check, takes_reserved};
use super::extent::Extent;
use super::remembered::Remembered;
use super::spin::{AdaptiveSpin, Policy};
use super::stop::{Stop, Stops};
use super::word::{ASLEEP, WaitWord, Wake};
use crate::memory::atomic::{AtomicU64, Ordering, spin_loop};
use crate::sys::notices::ObjectNotices;
use crate::sys::wait::WaitOutcome;

/// How long after a handoff the next one may be requested: for this time, threads that need not be
/// woken acquire the lock, or a permit, one after the other.
pub(crate) const RUN: Duration = Duration::from_millis(1);
/// A waiter that slept and has waited for this time may request a handoff.
const STARVES_AFTER: Duration = Duration::from_millis(if cfg!(loom) { 0 } else { 1 });
/// After this time it may request as many handoffs as it takes.
const STARVES_FOR_LONG_AFTER: Duration = Duration::from_millis(16);

/// How many looks a thread that spins for a given time takes before it reads the clock.
const LOOKS_AT_A_TIME: u32 = 64;

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

/// What the slow check found.
#[derive(Debug)]
pub(crate) enum Checked<T> {
    /// The result of the wait.
    Found(T),
    /// The object was removed. This is the result unless another came before: the waiter polls once
    /// more.
    Removed(T),
}

impl<T> Checked<T> {
    /// Returns the result of the wait: what was there before the removal, if the object was
    /// removed.
    #[cold]
    fn or_found_before<'a>(self, poll: impl FnOnce() -> Poll<'a, T>) -> T
    where
        T: 'a,
    {
        match self {
            Self::Found(found) => found,
            Self::Removed(removed) => match poll() {
                Poll::Ready(found) => found,
                Poll::Pending(_) | Poll::Reserved(_) => removed,
            },
        }
    }
}

/// What a waiter needs to sleep: the word, its value at the look, and the value to mark it with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SleepTicket<'a> {
    word: WaitWord<'a>,
    seen: u64,
    marked: u64,
    /// Whether the waiter wants to share the lock.
    shares: bool,
    /// How long to sleep at most. A waiter for a reserved word ignores it.
    at_most: Option<Duration>,
    /// Whether the mark requests a handoff.
    requests: bool,
}

impl<'a> SleepTicket<'a> {
    /// To sleep on `word`, which was `seen` before the look: ASLEEP marks it.
    #[inline]
    pub(crate) fn new(word: WaitWord<'a>, seen: u64) -> Self {
        Self { word, seen, marked: seen | ASLEEP, shares: false, at_most: None, requests: false }
    }

    /// The same, with another value to mark the word with.
    #[inline]
    pub(crate) fn marked(self, marked: u64) -> Self {
        Self { marked, ..self }
    }

    /// The same, for a waiter that may not write to the word. If no change wakes it, it looks at
    /// intervals.
    pub(crate) fn unmarked(self, wakes_on_change: bool) -> Self {
        let at_most = (!wakes_on_change).then_some(SLICE);
        Self { marked: self.seen, at_most, ..self }
    }

    /// The same, for a waiter that wants to share the lock.
    pub(crate) fn sharing(self) -> Self {
        Self { shares: true, ..self }
    }

    /// The same, for a waiter that looks again after this time.
    pub(crate) fn for_at_most(self, duration: Duration) -> Self {
        Self { at_most: Some(duration), ..self }
    }

    /// The same, where the value to mark the word with requests a handoff.
    pub(crate) fn requesting(self) -> Self {
        Self { requests: true, ..self }
    }

    /// Marks the word. False if it changed since the look.
    fn mark_asleep(&self) -> bool {
        // CRASH: dying with the mark set costs the next waker an unnecessary wake.
        // ORDERING: Relaxed; the mark carries nothing, and the kernel compares the word itself.
        let order = Ordering::Relaxed;
        self.seen == self.marked
            || self.word.change(self.seen, self.marked, order, Wake::Moved).is_ok()
    }

    /// Marks the word, for a thread that sleeps on other words, too: returns the word and its value
    /// then. `None`: it changed since the look.
    pub(super) fn mark(&self) -> Option<(&'a AtomicU64, u64)> {
        self.mark_asleep().then(|| (self.word.place(), self.marked))
    }

    /// How long to sleep at most.
    pub(super) fn at_most(&self) -> Option<Duration> {
        self.at_most
    }

    /// Marks the word and sleeps, at most until `until`. Does not sleep if the word changed since
    /// the look.
    fn sleep(
        &self,
        until: Instant,
        checks: &mut Timer<'_>,
        stops: &Stops,
        standing: &mut Standing,
    ) -> WaitOutcome {
        if !self.mark_asleep() {
            return WaitOutcome::Changed;
        }
        standing.requested |= self.requests;
        let notices = checks.notices.as_deref().map(|notices| (notices, checks.seen));
        let woke = self.word.sleep(self.marked, until, notices, stops, self.shares);
        standing.slept |= woke != WaitOutcome::Changed;
        figures::count_if(woke == WaitOutcome::TimedOut, &figures::EXPIRED_SLEEPS);
        figures::count_if(woke == WaitOutcome::Woken, &figures::WOKEN_SLEEPS);
        // ORDERING: Relaxed; the next poll has the ordering.
        if woke == WaitOutcome::Woken && self.word.load(Ordering::Relaxed) == self.marked {
            checks.woken_without_change();
        }
        woke
    }
}

/// How a waiter stands, for the `poll` of its protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// It slept in this wait: it may have received a wake that another waiter needs.
    pub(crate) slept: bool,
    /// It slept, and has waited for 1 ms: it may request a handoff when it marks the word.
    pub(crate) starves: bool,
    /// The same after 16 ms.
    pub(crate) starves_for_long: bool,
    /// It requested a handoff when it marked the word.
    pub(crate) requested: bool,
    /// It has left the reserved word to other waiters for a slice; or this is its last look, and
    /// for a slice no such look of the handle took a reserved word.
    pub(crate) patience_is_over: bool,
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) struct Waited<T> {
    /// What was found. `None`: the time is over, or it was stopped.
    pub(crate) found: Option<T>,
    /// What stopped it before it found anything.
    pub(crate) stopped: Option<Stop>,
    /// It slept: another waiter may need a wake that it received.
    pub(crate) slept: bool,
    /// It requested a handoff.
    pub(crate) requested: bool,
}

impl<T> Waited<T> {
    /// Returns the result of the wait: what was found, or else what `timed_out` returns if the time
    /// is over, or what `stopped` returns if the wait was stopped.
    #[inline]
    pub(crate) fn result(
        self,
        timed_out: impl FnOnce() -> T,
        stopped: impl FnOnce(Stop) -> T,
    ) -> T {
        match (self.found, self.stopped) {
            (Some(found), _) => found,
            (None, None) => timed_out(),
            (None, Some(stop)) => stopped(stop),
        }
    }
}

/// The one loop by which the threads of a handle wait for a word, with what the handle learnt:
/// whether spinning pays, and when it last made the slow check.
#[derive(Debug)]
pub(crate) struct WaitLoop {
    spin: AdaptiveSpin,
    remembered: Remembered,
}

impl WaitLoop {
    /// The loop for a lock, which is held for a short time.
    pub(crate) fn for_lock() -> Self {
        Self::with(Policy::Lock)
    }

    /// The loop for what another process answers, with `bytes` bytes.
    pub(crate) fn for_answer(bytes: usize) -> Self {
        Self::with(Policy::for_answer(bytes))
    }

    fn with(policy: Policy) -> Self {
        Self { spin: AdaptiveSpin::new(policy), remembered: Remembered::default() }
    }

    /// A loop in which each wait spins for this time before it sleeps.
    pub(crate) fn spinning_for(duration: Duration) -> Self {
        Self::with(Policy::given(duration))
    }

    /// Makes the slow check due for the next wait.
    pub(crate) fn forget_check(&self) {
        forget_check(&self.remembered);
    }

    /// Returns the extent of a slow check that is due, for a thread that need not wait. The caller
    /// makes it then.
    pub(crate) fn take_due_check<'a>(
        &'a self,
        notices: Option<ObjectNotices<'a>>,
    ) -> Option<Extent<'a>> {
        let mut checks = Timer::begin(&self.remembered, notices);
        checks.read_news();
        checks.take_due(Instant::now())
    }

    /// Waits until `poll` is ready, or `check` finds something, or the time of `until` is over.
    ///
    /// `poll` is cheap and is called often. `check` is the slow check, which asks about the holders
    /// in its extent. `notices` tell when it finds something.
    #[inline]
    pub(crate) fn wait<'a, T>(
        &self,
        notices: Option<ObjectNotices<'_>>,
        until: Until,
        poll: impl FnMut(&Standing) -> Poll<'a, T>,
        check: impl FnMut(Extent<'_>) -> Option<Checked<T>>,
    ) -> Waited<T> {
        self.wait_looking(
            &mut (poll, check),
            notices,
            until,
            |(poll, _)| match poll(&Standing::default()) {
                Poll::Ready(found) => ControlFlow::Break(Some(found)),
                Poll::Pending(_) => ControlFlow::Continue(()),
                Poll::Reserved(_) => ControlFlow::Break(None),
            },
            |(poll, _), standing| poll(standing),
            |(_, check), extent| check(extent),
        )
    }

    /// The same, with a cheaper `look` while the waiter spins. It breaks with what it found, or
    /// with `None` if it is time to sleep.
    #[inline]
    pub(crate) fn wait_looking<'a, C, T>(
        &self,
        context: &mut C,
        notices: Option<ObjectNotices<'_>>,
        until: Until,
        mut look: impl FnMut(&mut C) -> ControlFlow<Option<T>>,
        mut poll: impl FnMut(&mut C, &Standing) -> Poll<'a, T>,
        mut check: impl FnMut(&mut C, Extent<'_>) -> Option<Checked<T>>,
    ) -> Waited<T> {
        let (mut standing, is_attempt) = (Standing::default(), until == Until::Now);
        if !is_attempt && let Some(found) = self.spin(context, &mut look) {
            return Waited { found: Some(found), stopped: None, slept: false, requested: false };
        }
        let (mut since, mut patience, mut stopped) = (None, None, None);
        let mut woke = WaitOutcome::Changed;
        let (mut checks, stops) = (Timer::begin(&self.remembered, notices), Stops::of(until));
        let found = loop {
            checks.read_news();
            let mut polled = poll(context, &standing);
            if let Poll::Ready(found) = polled {
                figures::count_late_find_if(woke == WaitOutcome::TimedOut);
                break Some(found);
            }
            crash_point!("wait: not ready, not checked");
            let now = Instant::now();
            let due = checks.take_due(now);
            if let Some(checked) = due.and_then(|extent| check(context, extent)) {
                // There may be more to find, which the next wait looks for.
                self.forget_check();
                break Some(checked.or_found_before(|| poll(context, &standing)));
            }
            stopped = stops.now(woke);
            let (before, is_over) = (standing, until.is_over(now) || stopped.is_some());
            let waited = now - *since.get_or_insert(now);
            standing.starves = standing.slept && waited >= STARVES_AFTER;
            standing.starves_for_long = standing.starves
                && (waited >= STARVES_FOR_LONG_AFTER || cfg!(loom) && standing.requested);
            standing.patience_is_over = patience.is_some_and(|end| end <= now)
                || is_over
                    && matches!(polled, Poll::Reserved(_))
                    && takes_reserved(&self.remembered, now);
            if due.is_some() || is_over || standing != before {
                polled = poll(context, &standing);
            }
            let spins_on = self.spin.keeps_spinning(waited);
            let (ticket, next_look) = match polled {
                Poll::Ready(found) => break Some(found),
                // What arrived at the last moment has arrived: the poll came after the deadline.
                _ if is_over => break None,
                // What happened before is not announced: the waiter looks once more.
                _ if checks.arm_if_useful(waited, !spins_on) => {
                    woke = WaitOutcome::Changed;
                    continue;
                }
                Poll::Pending(_) if spins_on => {
                    woke = WaitOutcome::Changed;
                    match look_repeatedly(context, &mut look, LOOKS_AT_A_TIME) {
                        Some((Some(found), _)) => break Some(found),
                        _ => continue,
                    }
                }
                Poll::Pending(ticket) => (ticket, checks.next_look(now, waited, ticket.at_most)),
                Poll::Reserved(ticket) => (ticket, *patience.get_or_insert(now + SLICE)),
            };
            woke = ticket.sleep(until.or_before(next_look), &mut checks, &stops, &mut standing);
        };
        self.learn(found.is_some(), since);
        Waited { found, stopped, slept: standing.slept, requested: standing.requested }
    }

    /// Learns how long a wait took that found something, and that did not only spin.
    fn learn(&self, has_found: bool, since: Option<Instant>) {
        if let Some(since) = since.filter(|_| has_found) {
            self.spin.learn_wait_since(since);
        }
    }

    /// Looks at once, and then for as long as that paid recently. `None`: it is time to sleep.
    #[inline]
    fn spin<C, T>(
        &self,
        context: &mut C,
        look: &mut impl FnMut(&mut C) -> ControlFlow<Option<T>>,
    ) -> Option<T> {
        if let ControlFlow::Break(found) = look(context) {
            return found;
        }
        match look_repeatedly(context, look, self.spin.looks()) {
            Some((found, looks)) => {
                if found.is_some() {
                    self.spin.learn_found(looks);
                }
                found
            }
            None => {
                self.spin.learn_failed();
                None
            }
        }
    }
}

/// Looks up to `looks` times, with a pause before each. Returns what ended it, and after how many
/// looks.
#[inline]
fn look_repeatedly<C, T>(
    context: &mut C,
    look: &mut impl FnMut(&mut C) -> ControlFlow<Option<T>>,
    looks: u32,
) -> Option<(Option<T>, u32)> {
    for needed in 1..=looks {
        spin_loop();
        if let ControlFlow::Break(found) = look(context) {
            return Some((found, needed));
        }
    }
    None
}

/// Figures for tests: without their feature nothing is counted.
#[cfg(all(feature = "crash-points", not(loom)))]
pub(crate) mod figures {
    use std::cell::Cell;

    use crate::memory::atomic::{AtomicU64, Ordering};

    thread_local! {
        static LATE_FINDS_OF_THREAD: Cell<u64> = const { Cell::new(0) };
    }
    static LATE_FINDS: AtomicU64 = AtomicU64::new(0);
    pub(super) static EXPIRED_SLEEPS: AtomicU64 = AtomicU64::new(0);
    pub(super) static WOKEN_SLEEPS: AtomicU64 = AtomicU64::new(0);

    pub(super) fn count_if(is_true: bool, figure: &AtomicU64) {
        // ORDERING: Relaxed; a figure for tests.
        figure.fetch_add(is_true.into(), Ordering::Relaxed);
    }

    pub(in crate::wait) fn count_late_find_if(is_true: bool) {
        count_if(is_true, &LATE_FINDS);
        LATE_FINDS_OF_THREAD.with(|count| count.set(count.get() + u64::from(is_true)));
    }

    /// Returns how many times this thread found a change after its slice, without a wake.
    pub(crate) fn late_finds_of_thread() -> u64 {
        LATE_FINDS_OF_THREAD.get()
    }

    /// Returns how many times a waiter of this process found a change after its slice, without a
    /// wake.
    pub(crate) fn late_finds() -> u64 {
        // ORDERING: Relaxed; as above.
        LATE_FINDS.load(Ordering::Relaxed)
    }

    /// Returns how many sleeps of waiters of this process ended by time.
    pub(crate) fn expired_sleeps() -> u64 {
        // ORDERING: Relaxed; as above.
        EXPIRED_SLEEPS.load(Ordering::Relaxed)
    }

    /// Returns how many sleeps of waiters of this process ended by a wake.
    pub(crate) fn woken_sleeps() -> u64 {
        // ORDERING: Relaxed; as above.
        WOKEN_SLEEPS.load(Ordering::Relaxed)
    }
}
#[cfg(not(all(feature = "crash-points", not(loom))))]
pub(super) mod figures {
    pub(super) const EXPIRED_SLEEPS: () = ();
    pub(super) const WOKEN_SLEEPS: () = ();

    pub(super) fn count_if(_is_true: bool, _figure: &()) {}
    pub(in crate::wait) fn count_late_find_if(_is_true: bool) {}
}
