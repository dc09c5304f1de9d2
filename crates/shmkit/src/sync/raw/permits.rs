//! Permits that are returned if their holder dies.
//!
//! ```text
//! line    | given | initial permits | handed | asked | maximum | ... | taken    in another line
//! data    | taken by slot 0 | given back by it | ...    64 bytes each
//!
//! given, taken       63                      14  13  12          2    1        0
//!                    +-------------------------+---+-------------+--------+--------+
//!                    |          total          | S |  slot + 1   | ASLEEP | CLOSED |
//!                    +-------------------------+---+-------------+--------+--------+
//! of a slot          63                      14 13                                0
//!                    +-------------------------+-----------------------------------+
//!                    |  total after the last   |  number of permits, modulo 2^14   |
//!                    |  recorded change        |                                   |
//!                    +-------------------------+-----------------------------------+
//! ```
//!
//! `given` counts all permits ever given, `taken` all permits ever taken; the difference is
//! available. Each total names the slot of its last change (0: no slot). Each slot's own word
//! stores what the total was after the last change that was recorded there. If that number is
//! smaller than the total now, the last change of the total is not recorded yet. A participant
//! holds what its slot has taken minus what it has given back.
//!
//! Bit S of `given` (STARVING) requests a handoff: threads that have not slept leave available
//! permits to threads that have. A thread that slept clears the bit when it has its permit. A
//! thread that requested a handoff also clears it when it gives up. A waiter that is woken but
//! finds no permit sets it again, 1 ms after the last handoff, whose time is in `handed`. (Without
//! that time, two threads that are woken in turn would have nearly all handoffs.) This waiter loses
//! its place in the queue. So after 16 ms it sets the bit at once, and stores the time in `asked`:
//! then, for 50 ms, only a thread that requested a handoff clears the bit. A dead or stopped thread
//! delays the others by one slice.
//!
//! # Maximum
//!
//! Permits that are available and permits that are held are together never more than the maximum.
//! A release cannot exceed it; only a post can. So a post counts both before its exchange: nothing
//! was released or posted meanwhile, or the exchange fails. Permits that were taken meanwhile only
//! moved from one count to the other, so the post counts again if one was. A consumed permit is in
//! neither count.
//!
//! # Why no permit is lost or created
//!
//! A total and a slot's word cannot change together. So the total changes first, and names the slot
//! of the change. **No process changes a total before its last change is recorded in the slot's
//! word**, and any process can record it: by an exchange that counts it, if the word still has a
//! smaller total. So if a process is killed between the two, the next process records the change,
//! once. At every moment the slots' words, with the one change that may be missing, agree with the
//! totals. Totals only grow, so a late exchange fails.
//!
//! A dead participant's permits are given back one by one, each as the participant would have done
//! it. No process gives them back twice. The reaper loads `given`, then sees that no living
//! participant has the slot, then that the slot holds permits, and then exchanges the `given` that
//! it loaded; in between, neither word of a dead participant's slot changes. A new participant
//! gives back what its slot still holds before it takes anything.
//!
//! # Why no thread sleeps beside an available permit
//!
//! A thread sets ASLEEP before it sleeps. A process that gives a permit clears ASLEEP and wakes one
//! thread. That thread does not know whether there are others. So, once it has a permit or gives
//! up, it sets ASLEEP again: the next permit wakes another thread. Then it looks whether a permit
//! is available, which was given before that, and wakes another thread for it.

mod readiness;

use std::time::Duration;

use crate::memory::atomic::{AtomicU64, Ordering};
use crate::object::LINE_WORDS;
use crate::participant::{slot_from_bits, slot_to_bits};
use crate::sys::notices::ObjectNotices;
use crate::wait::{
    ASLEEP, CLOSED, Checked, Extent, Poll, RUN, SharedMoment, SleepTicket, Standing, Stop, Until,
    WaitLoop, WaitWord, Wake,
};

/// Words from one slot's two words to the next slot's.
pub(crate) const STRIDE: usize = 8;
/// The most permits that one participant can hold. It is less than the word can count, since all
/// threads of the participant may check the limit before one of them takes the last permit.
pub(crate) const MAX_HELD: u64 = 15_000;
/// The most attempts to load a participant's two words without a change in between.
const TRIES: u32 = 64;
/// How many times a post counts the permits while other participants take some. A count looks at
/// each slot once.
const MAX_COUNTS: u32 = 4_096;
/// The most permits that there can be.
pub(crate) const MAX_PERMITS: u64 = 1 << 40;

/// How long the request of a waiter that has starved for long lasts.
const ASKED_FOR: Duration = Duration::from_millis(50);

const STARVING: u64 = 1 << 13;
const ONE: u64 = 1 << 14;
const HELD: u64 = ONE - 1;

/// A total: of permits that were given, or of permits that were taken.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Total(u64);

impl Total {
    #[inline]
    fn count(self) -> u64 {
        self.0 / ONE
    }

    #[inline]
    fn slot(self) -> Option<u32> {
        slot_from_bits(self.0)
    }

    /// The total plus `many`, as a change of `slot`. Keeps the marks except ASLEEP.
    #[inline]
    fn plus(self, many: u64, slot: Option<u32>) -> Self {
        let total = (self.0 & !HELD).wrapping_add(many * ONE);
        Self(total | slot.map_or(0, slot_to_bits) | self.0 & (CLOSED | STARVING))
    }
}

/// Which of a slot's two words.
const TAKEN: usize = 0;
const GIVEN: usize = 1;

/// Why a permit was not taken or given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PermitError {
    /// None is available, or none was available before the timeout expired.
    None,
    /// The wait was stopped.
    Stopped(Stop),
    /// The object was retired.
    Closed,
    /// This participant would hold too many.
    TooMany,
    /// There would be more than the maximum, with these.
    Full(Existing),
    /// Other participants kept taking permits while they were counted.
    Busy,
    /// More permits were taken than given: participants never write that.
    Corrupt,
}

/// The permits that exist: those that were consumed are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Existing {
    pub(crate) available: u64,
    pub(crate) held: u64,
}

/// The words of a semaphore.
#[derive(Clone, Copy)]
pub(crate) struct Permits<'a> {
    pub(crate) given: &'a AtomicU64,
    pub(crate) taken: &'a AtomicU64,
    pub(crate) slots: &'a [AtomicU64],
    /// Not in a model, in which time stands still.
    pub(crate) times: Option<Times<'a>>,
}

/// When handoffs took place and were requested.
#[derive(Clone, Copy)]
pub(crate) struct Times<'a> {
    /// The last handoff.
    pub(crate) handed: SharedMoment<'a>,
    /// The last request of a waiter that had starved for long, until it has a permit.
    pub(crate) asked: SharedMoment<'a>,
}

/// The initial value of `given`.
pub(crate) fn at_first(permits: u32) -> u64 {
    u64::from(permits) * ONE
}

impl<'a> Permits<'a> {
    /// The words in a line, and the words of the slots.
    #[inline(always)]
    pub(crate) fn of(line: &'a [AtomicU64; LINE_WORDS], slots: &'a [AtomicU64]) -> Self {
        let [handed, asked] = [&line[2], &line[3]].map(SharedMoment::in_word);
        let times = Some(Times { handed, asked });
        Self { given: &line[0], taken: &line[8], slots, times }
    }

    #[inline]
    fn load(total: &AtomicU64) -> Total {
        // ORDERING: Acquire; pairs with the exchanges in `try_take` and `give`.
        Total(total.load(Ordering::Acquire))
    }

    /// The word that waiters sleep on.
    #[inline(always)]
    fn wait_word(self) -> WaitWord<'a> {
        WaitWord::new(self.given)
    }

    #[inline]
    fn slot_word(self, slot: u32, which: usize) -> Option<&'a AtomicU64> {
        self.slots.get(slot as usize * STRIDE + which)
    }

    /// Records the last change of a total in its slot's word, unless it is already recorded.
    #[inline]
    fn settle(self, total: Total, which: usize) {
        let Some(word) = total.slot().and_then(|slot| self.slot_word(slot, which)) else { return };
        // ORDERING: Acquire; pairs with the exchange below.
        let mut seen = word.load(Ordering::Acquire);
        while seen / ONE < total.count() {
            let counted = (total.count() * ONE) | (seen.wrapping_add(1) & HELD);
            // ORDERING: AcqRel; in order with the next change of the total.
            let order = Ordering::AcqRel;
            match word.compare_exchange(seen, counted, order, Ordering::Acquire) {
                Ok(_) => return,
                Err(found) => seen = found,
            }
        }
    }

    /// Returns how many permits the participant in a slot holds. While it takes and gives back, the
    /// result may be too large.
    pub(crate) fn held(self, slot: u32) -> u64 {
        let [taken, given] = [TAKEN, GIVEN].map(|which| {
            move || {
                // ORDERING: Acquire; pairs with the exchange in `settle`.
                self.slot_word(slot, which).map_or(0, |word| word.load(Ordering::Acquire))
            }
        });
        let mut before = given();
        for _ in 0..TRIES {
            // In this order: a permit that is given back between the two loads was taken before.
            let held = taken().wrapping_sub(before) & HELD;
            let after = given();
            if after == before {
                return held;
            }
            before = after;
        }
        // Its threads keep taking and giving back: it holds some.
        1
    }

    /// Returns how many are available.
    #[inline]
    pub(crate) fn available(self) -> u64 {
        let taken = Self::load(self.taken);
        Self::load(self.given).count().saturating_sub(taken.count())
    }

    /// Returns whether participants can have written its totals.
    pub(crate) fn is_sound(self) -> bool {
        let taken = Self::load(self.taken);
        let difference = Self::load(self.given).count().checked_sub(taken.count());
        difference.is_some_and(|permits| permits <= MAX_PERMITS)
    }

    /// Takes a permit, if one is available: for the participant in a slot, or as consumed.
    #[inline]
    pub(crate) fn try_take(self, slot: Option<u32>) -> Result<(), PermitError> {
        loop {
            let taken = Self::load(self.taken);
            self.settle(taken, TAKEN);
            let given = Self::load(self.given);
            // A permit to consume is a message, which was sent before the object was retired. One
            // to hold would be held beside those of the next object of this name.
            let (is_closed, holds) = (given.0 & CLOSED != 0, slot.is_some());
            match given.count().checked_sub(taken.count()) {
                available if is_closed && (holds || available.is_none_or(|it| it == 0)) => {
                    return Err(PermitError::Closed);
                }
                None => return Err(PermitError::Corrupt),
                Some(0) => return Err(PermitError::None),
                Some(_) if slot.is_some_and(|slot| self.held(slot) >= MAX_HELD) => {
                    return Err(PermitError::TooMany);
                }
                Some(_) => {}
            }
            let more = taken.plus(1, slot);
            // ORDERING: AcqRel; the holder of a permit sees what was done before it was given.
            let order = Ordering::AcqRel;
            let taken = self.taken.compare_exchange(taken.0, more.0, order, Ordering::Relaxed);
            if taken.is_ok() {
                // CRASH: dying here leaves a permit that only the total counts. The process that
                // takes next, or that reaps the permits of dead participants, records it first.
                crash_point!("semaphore: permit taken, not recorded");
                self.settle(more, TAKEN);
                return Ok(());
            }
        }
    }

    /// Gives back a permit that the participant in a slot holds, and whose take is recorded.
    #[inline]
    pub(crate) fn give_back(self, slot: u32) {
        loop {
            let given = Self::load(self.given);
            self.settle(given, GIVEN);
            // It may already be given back, if the participant lives but lost its liveness lock.
            if self.held(slot) == 0 || self.give(given, 1, Some(slot)) {
                return;
            }
        }
    }

    /// Gives `many` new permits, unless there would be more than `max`. Returns how many were
    /// available before.
    #[inline]
    pub(crate) fn post(self, many: u64, max: u64) -> Result<u64, PermitError> {
        let mut counts = 0;
        loop {
            let given = Self::load(self.given);
            self.settle(given, GIVEN);
            if given.0 & CLOSED != 0 {
                return Err(PermitError::Closed);
            }
            let existing = match max {
                MAX_PERMITS => Some(self.available_of(given, Self::load(self.taken))),
                _ => self.existing(given),
            };
            let Some(existing) = existing else {
                counts += 1;
                if counts == MAX_COUNTS {
                    return Err(PermitError::Busy);
                }
                continue;
            };
            if existing.available + existing.held + many > max {
                return Err(PermitError::Full(existing));
            }
            if self.give(given, many, None) {
                return Ok(existing.available);
            }
        }
    }

    /// The permits that are available when the totals are these. None counts as held.
    #[inline]
    fn available_of(self, given: Total, taken: Total) -> Existing {
        Existing { available: given.count().saturating_sub(taken.count()), held: 0 }
    }

    /// Counts the permits that exist while `given` is the total of those that were given. None if
    /// one was taken meanwhile: it may have been counted twice.
    #[cold]
    fn existing(self, given: Total) -> Option<Existing> {
        let taken = Self::load(self.taken);
        self.settle(taken, TAKEN);
        let held = (0..(self.slots.len() / STRIDE) as u32).map(|slot| self.held(slot)).sum();
        let is_right = Self::load(self.taken).count() == taken.count();
        is_right.then(|| Existing { held, ..self.available_of(given, taken) })
    }

    #[inline]
    fn give(self, given: Total, many: u64, slot: Option<u32>) -> bool {
        let more = given.plus(many, slot);
        let wake = if many == 1 { Wake::One } else { Wake::All };
        // ORDERING: AcqRel; pairs with the Acquire in `load`, and as in `try_take`.
        if self.wait_word().change(given.0, more.0, Ordering::AcqRel, wake).is_err() {
            return false;
        }
        // CRASH: dying here leaves the change unrecorded; the next process that gives records it.
        crash_point!("semaphore: permit given back, not recorded");
        self.settle(more, GIVEN);
        true
    }

    /// Consumes a permit that the participant in a slot holds: it is never given back.
    pub(crate) fn consume(self, slot: u32) {
        let Some(word) = self.slot_word(slot, GIVEN) else { return };
        let counted = |seen: u64| {
            (self.held(slot) != 0).then_some(seen & !HELD | seen.wrapping_add(1) & HELD)
        };
        // ORDERING: AcqRel; as in `settle`.
        let _ = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, counted);
    }

    /// Gives back what a slot holds, as long as `may` returns true.
    pub(crate) fn reap(self, slot: u32, may: impl Fn() -> bool) {
        // Bounded: with a garbage word there may always seem to be one more permit.
        for _ in 0..=MAX_HELD {
            let given = Self::load(self.given);
            self.settle(given, GIVEN);
            self.settle(Self::load(self.taken), TAKEN);
            // Before `may`, which costs a system call, and after it: see above.
            if self.held(slot) == 0 || !may() || self.held(slot) == 0 {
                return;
            }
            // CRASH: dying anywhere here leaves the rest to the next process that reaps the slot.
            crash_point!("semaphore: dead participant's permit found");
            let held = self.held(slot);
            if self.give(given, 1, Some(slot)) && self.held(slot) >= held {
                return;
            }
        }
    }

    /// Returns whether a slot's participant may hold a permit, recorded or not.
    pub(crate) fn may_hold(self, slot: u32) -> bool {
        self.held(slot) > 0 || Self::load(self.taken).slot() == Some(slot)
    }

    /// Takes a permit, if one is available; otherwise returns what to sleep on.
    pub(crate) fn poll_take(
        self,
        slot: Option<u32>,
        standing: &Standing,
    ) -> Poll<'a, Result<(), PermitError>> {
        let given = Self::load(self.given).0;
        let sleep = SleepTicket::new(self.wait_word(), given);
        let is_reserved = given & (STARVING | CLOSED) == STARVING;
        if is_reserved && !standing.slept && !standing.patience_is_over {
            return Poll::Reserved(sleep);
        }
        match self.try_take(slot) {
            Err(PermitError::None) if self.may_request(standing) => {
                Poll::Pending(sleep.marked(given | ASLEEP | STARVING).requesting())
            }
            Err(PermitError::None) => Poll::Pending(sleep),
            outcome => Poll::Ready(outcome),
        }
    }

    /// Takes a permit, waiting as long as `until` says until one is available.
    ///
    /// `check` gives back what dead participants hold in its extent, and returns whether the object
    /// was removed.
    #[cold]
    pub(crate) fn take(
        self,
        slot: Option<u32>,
        notices: Option<ObjectNotices<'_>>,
        wait_loop: &WaitLoop,
        until: Until,
        mut check: impl FnMut(Extent<'_>) -> bool,
    ) -> Result<(), PermitError> {
        let mut has_asked = false;
        let waited = wait_loop.wait(
            notices,
            until,
            |standing| {
                has_asked |= standing.starves_for_long;
                self.poll_take(slot, standing)
            },
            |extent| check(extent).then_some(Checked::Removed(Err(PermitError::Closed))),
        );
        let slept = waited.slept;
        if slept {
            // CRASH: dying here leaves other sleeping threads without a mark, until the death
            // notice or the end of their slices.
            self.wait_word().mark_asleep_if(|_| true);
        }
        let woken = slept && waited.found.is_some();
        let ended = self.conclude_handoff(woken, waited.requested || has_asked);
        let is_needed = || self.available() > 0 && Self::load(self.given).0 & ASLEEP != 0;
        if (slept || ended) && is_needed() {
            self.wait_word().pass_wake_on();
        }
        waited.result(|| Err(PermitError::None), |stop| Err(PermitError::Stopped(stop)))
    }

    /// Returns whether a waiter requests a handoff when it sleeps again.
    fn may_request(self, standing: &Standing) -> bool {
        let Some(times) = self.times else { return standing.starves };
        if standing.starves_for_long {
            times.asked.record();
        }
        standing.starves && (standing.starves_for_long || !times.handed.is_within(RUN))
    }

    /// Concludes the handoff after a wait. Returns whether it has ended.
    fn conclude_handoff(self, was_used: bool, requested: bool) -> bool {
        let Some(times) = self.times else { return (was_used || requested) && self.end_handoff() };
        if was_used && self.is_reserved() {
            times.handed.record();
        }
        if requested {
            times.asked.forget();
        } else if !was_used || times.asked.is_within(ASKED_FOR) {
            return false;
        }
        // Also if another thread requested it: that thread requests it again, unless it is dead.
        self.end_handoff()
    }

    /// Ends the handoff. Returns whether there was one.
    fn end_handoff(self) -> bool {
        let mut given = Self::load(self.given).0;
        while given & STARVING != 0 {
            let without = given & !STARVING;
            // ORDERING: AcqRel; in order with the permits that are given.
            match self.wait_word().change(given, without, Ordering::AcqRel, Wake::Moved) {
                Ok(()) => return true,
                Err(found) => given = found,
            }
        }
        false
    }
}

#[cfg(all(test, loom))]
mod models;

#[cfg(all(test, not(loom)))]
mod tests;
