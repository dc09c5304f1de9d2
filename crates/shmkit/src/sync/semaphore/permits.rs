//! The protocol of permits that come back from the dead.
//!
//! ```text
//! line    | given | ... | taken | permits at first      `taken` in a cache line of its own
//! data    | taken by slot 0 | given back by it | ...    64 bytes each
//!
//! given, taken       63                      14 13          3   2     1        0
//!                    +-------------------------+-------------+---+--------+--------+
//!                    |          total          |  slot + 1   | S | ASLEEP | CLOSED |
//!                    +-------------------------+-------------+---+--------+--------+
//! of a slot          63                      14 13                                0
//!                    +-------------------------+-----------------------------------+
//!                    |  total of the last one  |        how many, modulo 2^14      |
//!                    +-------------------------+-----------------------------------+
//! ```
//!
//! `given` counts the permits that there ever were, `taken` those that were taken; the difference
//! is there to be had. Each total names the slot whose permit its last change was (0: nobody's),
//! and that change stands in the slot's own word once its total does. What a slot has taken less
//! what it has given back is what its participant holds.
//!
//! Bit S of `given`: one has waited for long, and who has not slept leaves what there is to others.
//! Who has slept takes it away when he has his permit, or gives up; the others set it again when
//! they are woken in vain. So one that is dead, or stands still, holds the rest up for a slice.
//!
//! # Why no permit is lost or made
//!
//! A total and a slot's word cannot change together; so the total goes first, and says whose the
//! change is. **Nobody changes a total before its last change stands in the slot's word**, and any
//! one can put it there: by an exchange that counts it, if the word still has a smaller total. So
//! whoever is killed between the two leaves what the next one completes, once; and at every moment
//! the slots' words, with the one change that may be missing, agree with the totals. Totals never
//! come back, so an exchange that comes late fails.
//!
//! A dead one's permits are given back one by one, each as it would have done it. Nobody gives them
//! back twice: whoever does exchanges `given` as it was before it saw that nobody living has the
//! slot, and then that they are held: of the dead both words stand still. A new participant gives
//! back what its slot still has before it takes anything.

use std::time::Instant;

use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sync::membership::LINE_WORDS;
use crate::sync::sleepers::{ASLEEP, CLOSED, STARVES_AFTER, Sleepers, Waiter};

/// Words from one participant's two to the next one's.
pub(crate) const STRIDE: usize = 8;
/// The most permits that one participant can hold: less than can be counted, since its threads may
/// all look before any of them takes the last.
pub(crate) const MAX_HELD: u64 = 15_000;
/// How often a participant's two words are looked at until they stand still.
const TRIES: u32 = 64;
/// The most permits that there can be.
pub(crate) const MAX: u64 = 1 << 40;

const STARVING: u64 = 1 << 2;
const SLOT_SHIFT: u32 = 3;
const SLOT: u64 = 0x7ff << SLOT_SHIFT;
const ONE: u64 = 1 << 14;
const HELD: u64 = ONE - 1;

/// A total: of permits that were given, or taken.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Total(u64);

impl Total {
    #[inline]
    fn count(self) -> u64 {
        self.0 / ONE
    }

    #[inline]
    fn slot(self) -> Option<u32> {
        (((self.0 & SLOT) >> SLOT_SHIFT) as u32).checked_sub(1)
    }

    /// So many more, the last one of `slot`; the marks but ASLEEP are kept.
    #[inline]
    fn plus(self, many: u64, slot: Option<u32>) -> Self {
        let total = (self.0 & !HELD).wrapping_add(many * ONE);
        Self(total | slot_bits(slot) | self.0 & (CLOSED | STARVING))
    }
}

fn slot_bits(slot: Option<u32>) -> u64 {
    slot.map_or(0, |slot| u64::from(slot + 1) << SLOT_SHIFT)
}

/// Which of a slot's two words.
const TAKEN: usize = 0;
const GIVEN: usize = 1;

/// Why a permit was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PermitError {
    /// None is there to be had.
    None,
    /// The object was retired.
    Closed,
    /// There would be more than can be: with this participant, or in all.
    TooMany,
    /// More were taken than given: no participant writes that.
    Corrupt,
}

/// The words of a semaphore.
#[derive(Clone, Copy)]
pub(crate) struct Permits<'a> {
    pub(crate) given: &'a AtomicU64,
    pub(crate) taken: &'a AtomicU64,
    pub(crate) slots: &'a [AtomicU64],
}

/// What `given` is at first.
pub(crate) fn at_first(permits: u32) -> u64 {
    u64::from(permits) * ONE
}

impl<'a> Permits<'a> {
    /// In a line and what goes with it.
    #[inline(always)]
    pub(crate) fn of(line: &'a [AtomicU64; LINE_WORDS], slots: &'a [AtomicU64]) -> Self {
        Self { given: &line[0], taken: &line[8], slots }
    }

    #[inline]
    fn load(total: &AtomicU64) -> Total {
        // ORDERING: Acquire; pairs with the exchanges below.
        Total(total.load(Ordering::Acquire))
    }

    /// Changes a total. The marks on it may differ from those that were seen.
    #[inline]
    fn exchange(total: &AtomicU64, from: Total, to: Total) -> bool {
        // ORDERING: AcqRel; whoever has a permit sees what was done before it was given.
        let order = Ordering::AcqRel;
        total.compare_exchange(from.0, to.0, order, Ordering::Relaxed).is_ok()
    }

    fn sleepers(self) -> Sleepers<'a> {
        Sleepers::new(self.given)
    }

    #[inline]
    fn slot_word(self, slot: u32, which: usize) -> Option<&'a AtomicU64> {
        self.slots.get(slot as usize * STRIDE + which)
    }

    /// Puts the last change of a total where it belongs, unless it is there.
    #[inline]
    fn settle(self, total: Total, which: usize) {
        let Some(word) = total.slot().and_then(|slot| self.slot_word(slot, which)) else { return };
        // ORDERING: Acquire; pairs with the exchange below.
        let mut seen = word.load(Ordering::Acquire);
        while seen / ONE < total.count() {
            let counted = (total.count() * ONE) | (seen.wrapping_add(1) & HELD);
            // ORDERING: AcqRel; in order with who changes the total next.
            let order = Ordering::AcqRel;
            match word.compare_exchange(seen, counted, order, Ordering::Acquire) {
                Ok(_) => return,
                Err(found) => seen = found,
            }
        }
    }

    /// How many permits the participant in a slot holds; while it takes and gives, maybe more.
    pub(crate) fn held(self, slot: u32) -> u64 {
        let [taken, given] = [TAKEN, GIVEN].map(|which| {
            move || {
                // ORDERING: Acquire; pairs with the exchange in `settle`.
                self.slot_word(slot, which).map_or(0, |word| word.load(Ordering::Acquire))
            }
        });
        let mut before = given();
        for _ in 0..TRIES {
            // In this order: what is given back between the two was taken before.
            let held = taken().wrapping_sub(before) & HELD;
            let after = given();
            if after == before {
                return held;
            }
            before = after;
        }
        // Others take and give for it all the time: it holds some.
        1
    }

    /// How many there are to be had.
    #[inline]
    pub(crate) fn available(self) -> u64 {
        let taken = Self::load(self.taken);
        Self::load(self.given).count().saturating_sub(taken.count())
    }

    /// Whether its totals are such that participants write them.
    pub(crate) fn is_sound(self) -> bool {
        let taken = Self::load(self.taken);
        let difference = Self::load(self.given).count().checked_sub(taken.count());
        difference.is_some_and(|permits| permits <= MAX)
    }

    /// Takes a permit: for the participant in a slot, or for good.
    #[inline]
    pub(crate) fn try_take(self, slot: Option<u32>) -> Result<(), PermitError> {
        loop {
            let taken = Self::load(self.taken);
            self.settle(taken, TAKEN);
            let given = Self::load(self.given);
            if given.0 & CLOSED != 0 {
                return Err(PermitError::Closed);
            }
            match given.count().checked_sub(taken.count()) {
                None => return Err(PermitError::Corrupt),
                Some(0) => return Err(PermitError::None),
                Some(_) if slot.is_some_and(|slot| self.held(slot) >= MAX_HELD) => {
                    return Err(PermitError::TooMany);
                }
                Some(_) => {}
            }
            let more = taken.plus(1, slot);
            if Self::exchange(self.taken, taken, more) {
                // CRASH: dying here leaves a permit that only the total knows of: whoever takes
                // next, or looks for the permits of the dead, puts it on record first.
                crash_point!("semaphore: taken, not on record");
                self.settle(more, TAKEN);
                return Ok(());
            }
        }
    }

    /// Gives a permit back that the participant in a slot holds: its taking is on record.
    #[inline]
    pub(crate) fn give_back(self, slot: u32) {
        loop {
            let given = Self::load(self.given);
            self.settle(given, GIVEN);
            // It was given back for one that lost the proof of its life, and lives.
            if self.held(slot) == 0 || self.give(given, 1, Some(slot)) {
                return;
            }
        }
    }

    /// Gives so many new ones.
    #[inline]
    pub(crate) fn post(self, many: u64) -> Result<(), PermitError> {
        loop {
            let given = Self::load(self.given);
            self.settle(given, GIVEN);
            if given.0 & CLOSED != 0 {
                return Err(PermitError::Closed);
            }
            if self.available() + many > MAX {
                return Err(PermitError::TooMany);
            }
            if self.give(given, many, None) {
                return Ok(());
            }
        }
    }

    #[inline]
    fn give(self, given: Total, many: u64, slot: Option<u32>) -> bool {
        let more = given.plus(many, slot);
        if !Self::exchange(self.given, given, more) {
            return false;
        }
        // CRASH: dying here leaves it to the next who gives to put it on record.
        crash_point!("semaphore: given back, not on record");
        self.settle(more, GIVEN);
        if given.0 & ASLEEP != 0 {
            match many {
                1 => self.sleepers().wake_one(given.0),
                _ => self.sleepers().wake(given.0),
            }
        }
        true
    }

    /// Makes a permit that the participant in a slot holds one that nobody has, and that does not
    /// come back.
    pub(crate) fn consume(self, slot: u32) {
        let Some(word) = self.slot_word(slot, GIVEN) else { return };
        let counted = |seen: u64| {
            (self.held(slot) != 0).then_some(seen & !HELD | seen.wrapping_add(1) & HELD)
        };
        // ORDERING: AcqRel; as in `settle`.
        let _ = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, counted);
    }

    /// Gives back what a slot holds, as long as `may` says so.
    pub(crate) fn reap(self, slot: u32, may: impl Fn() -> bool) {
        // A garbage word may say for ever that there is one more.
        for _ in 0..=MAX_HELD {
            let given = Self::load(self.given);
            self.settle(given, GIVEN);
            self.settle(Self::load(self.taken), TAKEN);
            // Before the question, which costs a call of the system, and behind it: see above.
            if self.held(slot) == 0 || !may() || self.held(slot) == 0 {
                return;
            }
            // CRASH: dying anywhere here leaves the rest to the next.
            crash_point!("semaphore: permit of a dead one found");
            let held = self.held(slot);
            if self.give(given, 1, Some(slot)) && self.held(slot) >= held {
                return;
            }
        }
    }

    /// Whether a slot's participant may hold something: one that is not on record yet, too.
    pub(crate) fn may_hold(self, slot: u32) -> bool {
        self.held(slot) > 0 || Self::load(self.taken).slot() == Some(slot)
    }

    /// Takes a permit, waiting until there is one, or until `until`: then `None`.
    ///
    /// `slow_look` gives back what the dead hold, and says whether the object was removed.
    pub(crate) fn take(
        self,
        slot: Option<u32>,
        waiter: &mut Waiter,
        until: Option<Instant>,
        mut slow_look: impl FnMut() -> bool,
    ) -> Option<Result<(), PermitError>> {
        let (since, mut starving, mut slept) = (Instant::now(), false, false);
        let take = |has_slept: bool| {
            slept = has_slept;
            if self.is_reserved_for_others(slept) {
                return None;
            }
            if slept {
                // Whoever gives next wakes another, if there is something to be had now.
                self.sleepers().announce(|_| self.available() > 0);
            }
            let taken = self.try_take(slot);
            if taken != Err(PermitError::None) {
                return Some(taken);
            }
            if slept && since.elapsed() >= STARVES_AFTER {
                self.request_handoff();
                starving = true;
            }
            None
        };
        let slow_look = || slow_look().then_some(Err(PermitError::Closed));
        let taken = waiter.take(self.sleepers(), until, take, slow_look);
        // Also where another asked for it: he asks again, unless he is dead.
        if starving || slept && taken.is_some() {
            self.end_handoff();
        }
        if slept {
            if taken != Some(Ok(())) {
                // The mark went with the wake, and the wake may have been for another.
                self.sleepers().announce(|_| true);
            }
            self.pass_on();
        }
        taken
    }

    /// Whether what there is to be had is left to those who have waited for long.
    #[inline]
    pub(crate) fn is_reserved_for_others(self, slept: bool) -> bool {
        !slept && Self::load(self.given).0 & STARVING != 0
    }

    /// Has those who come leave what there is to those who slept.
    fn request_handoff(self) {
        if Self::load(self.given).0 & STARVING != 0 {
            return;
        }
        // ORDERING: AcqRel; in order with what is given.
        let had = self.given.fetch_or(STARVING, Ordering::AcqRel);
        if had & (STARVING | ASLEEP) == ASLEEP {
            crate::sys::wait::moved(self.given, had);
        }
    }

    /// Ends that.
    fn end_handoff(self) {
        if Self::load(self.given).0 & STARVING != 0 {
            // ORDERING: AcqRel; as above.
            let had = self.given.fetch_and(!STARVING, Ordering::AcqRel);
            if had & ASLEEP != 0 {
                self.sleepers().wake_one(had);
            }
        }
    }

    /// Wakes one more, where there is something to be had: for who was woken, and may have had
    /// another's wake.
    fn pass_on(self) {
        if self.available() > 0 {
            let given = Self::load(self.given).0;
            if given & ASLEEP != 0 {
                self.sleepers().wake_one(given);
            }
        }
    }
}

#[cfg(all(test, loom))]
mod models;
