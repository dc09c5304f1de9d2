//! The protocol of those who meet: a record for each party.
//!
//! ```text
//! word    63                          12 11              4  3    2     1        0
//!         +-----------------------------+-----------------+---+------+--------+--------+
//!         |            round            | broken, the last | 0 | OPEN | ASLEEP | CLOSED |
//!         +-----------------------------+-----------------+---+------+--------+--------+
//! record  63            32 31           13 12           2 1     0
//!         +---------------+---------------+--------------+--------+
//!         |  generation   |     round     |   slot + 1   | state  |
//!         +---------------+---------------+--------------+--------+
//! ```
//!
//! | state | meaning | who may leave it |
//! |---|---|---|
//! | FREE | nobody's | anybody, by writing himself in: to JOINED |
//! | JOINED | a party that has not come yet | it, to ARRIVED or FREE; or anybody, see below |
//! | ARRIVED | it came, in the round that is written | the same |
//! | BREAKING | it died, and breaks the round that is written | anybody, to FREE |
//!
//! Once a party is dead that has not come in this round, anybody makes its record BREAKING, then
//! ends that round as broken, then frees the record.
//!
//! A round is over when every record is ARRIVED in it: whoever sees that moves the word on, by one
//! exchange, maybe before the one who came last has looked. No number of those who came is stored,
//! so that none can be wrong. Bits 4 to 11 say of the last eight rounds which were broken: bit 4 of
//! the one before this.
//! A latch has one round that is completed, and OPEN for good; rounds are broken there, too.
//!
//! # Why each death breaks one round
//!
//! The record says which round it breaks before that is broken, and is free only after. Whoever is
//! killed in between leaves a record with which the next one goes on: breaking is an exchange of
//! the very round that is written, so it happens once. That is the round which is found behind the
//! death: it cannot end well, so others are told where another's death ends it first.

use crate::memory::atomic::{AtomicU64, Ordering, fence_in_model};
use crate::sync::owner::{Liveness, ParticipantId};
use crate::sync::sleepers::{ASLEEP, CLOSED, Sleepers, Waiter};
use crate::sync::until::Until;

/// The most parties.
pub(crate) const MAX_PARTIES: usize = 1_024;

const OPEN: u64 = 1 << 2;
const BROKEN_SHIFT: u32 = 4;
const BROKEN: u64 = 0xff << BROKEN_SHIFT;
const ROUND: u64 = 1 << 12;

const FREE: u64 = 0;
const JOINED: u64 = 1;
const ARRIVED: u64 = 2;
const BREAKING: u64 = 3;
const STATE: u64 = 0b11;
const SLOT_SHIFT: u32 = 2;
const SLOT: u64 = 0x7ff << SLOT_SHIFT;
const IN_ROUND_SHIFT: u32 = 13;
const IN_ROUND: u64 = 0x7ffff << IN_ROUND_SHIFT;

/// How a round ended for one who waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All came. Whether this one noticed it.
    Complete(bool),
    /// One died.
    Broken,
    /// Not within the time given.
    TimedOut,
    /// The object was retired.
    Closed,
}

/// A barrier, or a latch: its words.
#[derive(Clone, Copy)]
pub(crate) struct Rounds<'a> {
    pub(crate) word: &'a AtomicU64,
    pub(crate) records: &'a [AtomicU64],
    /// A latch: it is completed once.
    pub(crate) once: bool,
}

fn with_holder(me: ParticipantId, state: u64) -> u64 {
    u64::from(me.generation) << 32 | u64::from(me.slot + 1) << SLOT_SHIFT | state
}

fn holder_of(record: u64) -> Option<ParticipantId> {
    let slot = ((record & SLOT) >> SLOT_SHIFT) as u32;
    slot.checked_sub(1).map(|slot| ParticipantId { slot, generation: (record >> 32) as u32 })
}

/// The record in another state, in a round.
fn in_round(record: u64, round: u64, state: u64) -> u64 {
    record & !(STATE | IN_ROUND) | (round << IN_ROUND_SHIFT) & IN_ROUND | state
}

impl<'a> Rounds<'a> {
    fn look(self) -> u64 {
        // ORDERING: Acquire; pairs with the exchange in `end`: what the others did before they came
        // is seen.
        self.word.load(Ordering::Acquire)
    }

    fn load(self, index: usize) -> u64 {
        // ORDERING: SeqCst; of two who come last one has to see the other, who stored before it
        // looked.
        self.records[index].load(Ordering::SeqCst)
    }

    fn exchange(self, index: usize, from: u64, to: u64) -> bool {
        // ORDERING: SeqCst; as above.
        let order = Ordering::SeqCst;
        self.records[index].compare_exchange(from, to, order, Ordering::Relaxed).is_ok()
    }

    /// Which round it is.
    pub(crate) fn round(self) -> u64 {
        self.look() / ROUND
    }

    pub(crate) fn is_open(self) -> bool {
        self.look() & OPEN != 0
    }

    pub(crate) fn is_closed(self) -> bool {
        self.look() & CLOSED != 0
    }

    /// Whether this record is one of a party that has come.
    fn has_arrived(self, record: u64, round: u64) -> bool {
        record & STATE == ARRIVED
            && (self.once || record & IN_ROUND == (round << IN_ROUND_SHIFT) & IN_ROUND)
    }

    /// How many have come, and how many have joined and not come.
    pub(crate) fn count(self) -> (usize, usize) {
        let round = self.round();
        let taken = (0..self.records.len()).map(|index| self.load(index));
        let taken = taken.filter(|record| record & STATE != FREE);
        let (here, missing): (Vec<_>, Vec<_>) = taken.partition(|it| self.has_arrived(*it, round));
        (here.len(), missing.len())
    }

    /// Who is a party.
    pub(crate) fn parties(self) -> impl Iterator<Item = ParticipantId> {
        (0..self.records.len()).filter_map(move |index| holder_of(self.load(index)))
    }

    /// Takes a place among the parties. `None`: none is free.
    pub(crate) fn join(self, me: ParticipantId, liveness: &impl Liveness) -> Option<usize> {
        // Who comes from outside ends no round that one of the parties can end.
        if self.break_for_the_dead(liveness) && self.end_if_all_came(self.round()) {
            self.break_for_the_dead(liveness);
        }
        let free = |index: &usize| {
            let record = self.load(*index);
            record & STATE == FREE && self.exchange(*index, record, with_holder(me, JOINED))
        };
        let index = (0..self.records.len()).find(free);
        // CRASH: dying from here on leaves a party that is dead, and breaks the round.
        crash_point!("barrier: joined");
        index
    }

    /// Gives a place up.
    pub(crate) fn leave(self, index: usize, me: ParticipantId) {
        let record = self.load(index);
        if holder_of(record) == Some(me) {
            self.exchange(index, record, FREE);
        }
    }

    /// Comes to the round that it is: which one. `None`: the place is another's by now.
    pub(crate) fn arrive(self, index: usize, me: ParticipantId) -> Option<u64> {
        loop {
            let (round, record) = (self.round(), self.load(index));
            if holder_of(record) != Some(me) || record & STATE == BREAKING {
                return None;
            }
            // CRASH: dying before this breaks the round; dying behind it is having come.
            if self.exchange(index, record, in_round(record, round, ARRIVED)) {
                crash_point!("barrier: arrived, not yet seen");
                // Where that round is over by now, it ended well with this one in it, or broke.
                return Some(round);
            }
        }
    }

    /// Ends the round if all have come. Whether it was this one who did.
    pub(crate) fn end_if_all_came(self, round: u64) -> bool {
        fence_in_model();
        let all = (0..self.records.len()).all(|it| self.has_arrived(self.load(it), round));
        all && self.end(round, false)
    }

    fn end(self, round: u64, broken: bool) -> bool {
        let mut had = self.look();
        while had / ROUND == round && had & (CLOSED | OPEN) == 0 {
            let next = match (self.once, broken) {
                (true, false) => had & !ASLEEP | OPEN,
                _ => {
                    let history = (had & BROKEN) << 1 | u64::from(broken) << BROKEN_SHIFT;
                    had.wrapping_add(ROUND) & !(BROKEN | ASLEEP) | history & BROKEN
                }
            };
            // ORDERING: AcqRel; whoever goes on sees what all did before they came.
            match self.word.compare_exchange(had, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    if had & ASLEEP != 0 {
                        Sleepers::new(self.word).wake(had);
                    }
                    return true;
                }
                Err(found) => had = found,
            }
        }
        false
    }

    /// How a round ended, if it did.
    fn ended(self, round: u64) -> Option<Ended> {
        let now = self.look();
        if now & OPEN != 0 {
            return Some(Ended::Complete(false));
        }
        let later = (now / ROUND).wrapping_sub(round);
        match later {
            0 => (now & CLOSED != 0).then_some(Ended::Closed),
            // What is too long ago to be known was followed by rounds that were broken.
            1..=8 if now & 1 << (BROKEN_SHIFT as u64 + later - 1) == 0 => {
                Some(Ended::Complete(false))
            }
            _ => Some(Ended::Broken),
        }
    }

    /// Breaks the round of those who died, and ends one whose last one died before it did. Whether
    /// it was this one who did.
    pub(crate) fn repair(self, liveness: &impl Liveness) -> bool {
        self.break_for_the_dead(liveness);
        self.end_if_all_came(self.round())
    }

    /// Breaks the round of those who died before they came. Whether others died who had come.
    fn break_for_the_dead(self, liveness: &impl Liveness) -> bool {
        let mut had_come = false;
        for index in 0..self.records.len() {
            let mut record = self.load(index);
            let dead = holder_of(record).is_none_or(|holder| liveness.is_dead(holder));
            // Behind the death: one who died in this round breaks no earlier one.
            let (round, state) = (self.round(), record & STATE);
            if state == FREE || !dead {
                continue;
            }
            if self.has_arrived(record, round) {
                had_come = true;
                continue;
            }
            if state != BREAKING {
                let breaking = in_round(record, round, BREAKING);
                if !self.exchange(index, record, breaking) {
                    continue;
                }
                record = breaking;
                crash_point!("barrier: death on record, round not broken");
            }
            if record & IN_ROUND == (round << IN_ROUND_SHIFT) & IN_ROUND {
                self.end(round, true);
                crash_point!("barrier: round broken, record not free");
            }
            self.exchange(index, record, FREE);
        }
        had_come
    }

    /// Waits until the round is over.
    pub(crate) fn wait(
        self,
        round: u64,
        waiter: &mut Waiter,
        until: Until,
        liveness: &impl Liveness,
    ) -> Ended {
        let look = || self.ended(round);
        let slow_look = || {
            let completed = self.repair(liveness).then_some(Ended::Complete(true));
            completed.or_else(|| liveness.is_gone().then_some(Ended::Closed))
        };
        let ended = waiter.wait(Sleepers::new(self.word), until.deadline(), look, slow_look);
        ended.unwrap_or(Ended::TimedOut)
    }
}

#[cfg(all(test, loom))]
mod models;
