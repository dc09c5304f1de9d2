//! Barriers and latches in rounds: a record for each party.
//!
//! ```text
//! word    63                          12 11               4  3    2     1        0
//!         +-----------------------------+------------------+---+------+--------+--------+
//!         |            round            | broken, the last | 0 | OPEN | ASLEEP | CLOSED |
//!         +-----------------------------+------------------+---+------+--------+--------+
//! record  63            32 31           13 12           2 1     0
//!         +---------------+---------------+--------------+--------+
//!         |  generation   |     round     |   slot + 1   | state  |
//!         +---------------+---------------+--------------+--------+
//! ```
//!
//! | state | meaning | who may leave it |
//! |---|---|---|
//! | FREE | no party | any participant, by storing its own id: to JOINED |
//! | JOINED | a party that has not arrived | the party, to ARRIVED or FREE; or see below |
//! | ARRIVED | it arrived in the recorded round | the same |
//! | BREAKING | it died, and breaks the recorded round | any participant, to FREE |
//!
//! If a party is dead and has not arrived in this round, any participant sets its record to
//! BREAKING, then ends that round as broken, then frees the record.
//!
//! A round is complete when every record is ARRIVED in it. Any process that sees this moves the
//! word to the next round, by one exchange, perhaps before the last party to arrive has looked. No
//! count of arrivals is stored, so the count cannot be wrong. Bits 4 to 11 say which of the last
//! eight rounds were broken: bit 4 is for the previous round.
//! A latch has one round that is completed, and stays OPEN; rounds can be broken there too.
//!
//! # Why each death breaks one round
//!
//! The record names the round before that round is broken, and is freed only after. If a process is
//! killed in between, the next process continues with this record: breaking exchanges exactly the
//! recorded round, so it happens once. The recorded round is the current round after the death. It
//! cannot complete. If another party's death breaks it first, that also reports this death.
//!
//! A waiter breaks only the round for which it waits: so a death that it finds is reported at least
//! to this waiter. A participant that joins breaks the round for nobody: it takes the place.

use crate::memory::atomic::{AtomicU64, Ordering, fence_in_model};
use crate::participant::{Liveness, ParticipantId};
use crate::wait::{
    ASLEEP, CLOSED, Checked, Extent, Poll, SleepTicket, Until, WaitLoop, WaitWord, Wake,
};

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
const IN_ROUND_SHIFT: u32 = 13;
const IN_ROUND: u64 = 0x7ffff << IN_ROUND_SHIFT;

/// How a round ended for a thread that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All parties arrived. Whether this thread completed the round.
    Complete(bool),
    /// A party died.
    Broken,
    /// The deadline passed.
    TimedOut,
    /// The object was retired.
    Closed,
}

/// What a check of a waiter did and found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repaired {
    /// It completed the round.
    pub(crate) completed: bool,
    /// A party died after it had arrived.
    pub(crate) died_after_arrival: bool,
}

/// The words of a barrier or a latch.
#[derive(Clone, Copy)]
pub(crate) struct Rounds<'a> {
    pub(crate) word: &'a AtomicU64,
    pub(crate) records: &'a [AtomicU64],
    /// A latch: it is completed once.
    pub(crate) once: bool,
}

/// Returns the record in another state, in a round.
fn in_round(record: u64, round: u64, state: u64) -> u64 {
    record & !(STATE | IN_ROUND) | (round << IN_ROUND_SHIFT) & IN_ROUND | state
}

impl<'a> Rounds<'a> {
    fn look(self) -> u64 {
        // ORDERING: Acquire; pairs with the exchange in `end`: what the other parties did before
        // they arrived is seen.
        self.word.load(Ordering::Acquire)
    }

    fn load(self, index: usize) -> u64 {
        // ORDERING: SeqCst; if two parties arrive last, each stores before it looks, so at least
        // one must see the other.
        self.records[index].load(Ordering::SeqCst)
    }

    fn exchange(self, index: usize, from: u64, to: u64) -> bool {
        // ORDERING: SeqCst; as above.
        let order = Ordering::SeqCst;
        self.records[index].compare_exchange(from, to, order, Ordering::Relaxed).is_ok()
    }

    /// Returns the number of the round.
    pub(crate) fn round(self) -> u64 {
        self.look() / ROUND
    }

    pub(crate) fn is_open(self) -> bool {
        self.look() & OPEN != 0
    }

    /// Returns whether the record's party has arrived.
    fn has_arrived(self, record: u64, round: u64) -> bool {
        record & STATE == ARRIVED
            && (self.once || record & IN_ROUND == (round << IN_ROUND_SHIFT) & IN_ROUND)
    }

    /// Returns how many parties have arrived, and how many have joined but not arrived.
    pub(crate) fn count(self) -> (usize, usize) {
        let round = self.round();
        let taken = (0..self.records.len()).map(|index| self.load(index));
        let taken = taken.filter(|record| record & STATE != FREE);
        let (here, missing): (Vec<_>, Vec<_>) = taken.partition(|it| self.has_arrived(*it, round));
        (here.len(), missing.len())
    }

    /// Returns the participants that are parties.
    pub(crate) fn parties(self) -> impl Iterator<Item = ParticipantId> {
        (0..self.records.len()).filter_map(move |index| ParticipantId::from_bits(self.load(index)))
    }

    /// Takes a place among the parties. `None`: none is free.
    pub(crate) fn join(self, me: ParticipantId, liveness: &impl Liveness) -> Option<usize> {
        // A participant that is not a party ends a round only if no living party can.
        if self.break_for_the_dead(liveness) && self.end_if_all_arrived(self.round()) {
            self.break_for_the_dead(liveness);
        }
        let free = |index: &usize| {
            let record = self.load(*index);
            record & STATE == FREE && self.exchange(*index, record, me.to_bits() | JOINED)
        };
        let index = (0..self.records.len()).find(free);
        // CRASH: dying from here on leaves a dead party, which breaks the round.
        crash_point!("barrier: joined");
        index
    }

    /// Leaves a place.
    pub(crate) fn leave(self, index: usize, me: ParticipantId) {
        let record = self.load(index);
        if ParticipantId::from_bits(record) == Some(me) {
            self.exchange(index, record, FREE);
        }
    }

    /// Arrives in the current round, and returns its number. `None`: another has the place.
    pub(crate) fn arrive(self, index: usize, me: ParticipantId) -> Option<u64> {
        loop {
            let (round, record) = (self.round(), self.load(index));
            if ParticipantId::from_bits(record) != Some(me) || record & STATE == BREAKING {
                return None;
            }
            // CRASH: dying before this breaks the round; a party that dies after it has arrived.
            if self.exchange(index, record, in_round(record, round, ARRIVED)) {
                crash_point!("barrier: arrived, not yet seen");
                // If that round is already over, it completed with this party, or was broken.
                return Some(round);
            }
        }
    }

    /// Ends the round if all parties have arrived. Returns whether this call ended it.
    pub(crate) fn end_if_all_arrived(self, round: u64) -> bool {
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
            // ORDERING: AcqRel; pairs with the Acquire in `look`: a party that continues sees what
            // all parties did before they arrived.
            match WaitWord::new(self.word).change(had, next, Ordering::AcqRel, Wake::All) {
                Ok(()) => return true,
                Err(found) => had = found,
            }
        }
        false
    }

    /// Returns how a round ended; otherwise returns what to sleep on.
    pub(crate) fn poll(self, round: u64) -> Poll<'a, Ended> {
        let now = self.look();
        if now & OPEN != 0 {
            return Poll::Ready(Ended::Complete(false));
        }
        Poll::Ready(match (now / ROUND).wrapping_sub(round) {
            0 if now & CLOSED != 0 => Ended::Closed,
            0 => return Poll::Pending(SleepTicket::new(WaitWord::new(self.word), now)),
            // A round that is too old to have a bit was followed by broken rounds.
            later @ 1..=8 if now & 1 << (u64::from(BROKEN_SHIFT) + later - 1) == 0 => {
                Ended::Complete(false)
            }
            _ => Ended::Broken,
        })
    }

    /// For a waiter of `round`: breaks it for parties that died before they arrived. Ends it if all
    /// parties arrived and the last one died before it ended it.
    ///
    /// This call does not break a later round: its waiter could not report that death. But the
    /// waiters of the later round get no news of a death that was announced in this round. So a
    /// check because of news also asks about parties that have arrived. (Not for a latch: such a
    /// death does not break it.)
    pub(crate) fn repair(
        self,
        round: u64,
        liveness: &impl Liveness,
        extent: Extent<'_>,
    ) -> Repaired {
        let is_armed = || liveness.notices().is_some_and(|it| it.armed_since_ms().is_some());
        // Without notices, the checks at the end of each slice of 50 ms find these deaths.
        let asks_all = !self.once && matches!(extent, Extent::Everything) && is_armed();
        let mut died_after_arrival = false;
        extent.each_slot(self.records.len() as u32, |index| {
            let record = self.load(index as usize);
            let asks = record & STATE != FREE
                && (asks_all || !self.has_arrived(record, round))
                && self.round() == round;
            if asks {
                died_after_arrival |= self.break_for(index as usize, record, Some(round), liveness);
            }
            asks
        });
        Repaired { completed: self.end_if_all_arrived(round), died_after_arrival }
    }

    /// Breaks the round for parties that died before they arrived. Returns whether any party died
    /// after it arrived.
    fn break_for_the_dead(self, liveness: &impl Liveness) -> bool {
        let mut had_arrived = false;
        for index in 0..self.records.len() {
            had_arrived |= self.break_for(index, self.load(index), None, liveness);
        }
        had_arrived
    }

    /// If the party of this record died before it arrived, breaks the current round; with `this`,
    /// only if that is the current round. Returns whether the party died after it arrived.
    fn break_for(
        self,
        index: usize,
        mut record: u64,
        this: Option<u64>,
        liveness: &impl Liveness,
    ) -> bool {
        let party = ParticipantId::from_bits(record);
        let is_dead = party.is_none_or(|party| liveness.reap_if_dead(party));
        // Loaded after the death was seen, so that the death does not break an earlier round.
        let (round, state) = (self.round(), record & STATE);
        if state == FREE || !is_dead || this.is_some_and(|this| this != round) {
            return false;
        }
        if self.has_arrived(record, round) {
            return true;
        }
        if state != BREAKING {
            let breaking = in_round(record, round, BREAKING);
            if !self.exchange(index, record, breaking) {
                return false;
            }
            record = breaking;
            crash_point!("barrier: death recorded, round not broken");
        }
        if record & IN_ROUND == (round << IN_ROUND_SHIFT) & IN_ROUND {
            self.end(round, true);
            crash_point!("barrier: round broken, record not free");
        }
        self.exchange(index, record, FREE);
        false
    }

    /// Waits until the round is over.
    pub(crate) fn wait(
        self,
        round: u64,
        liveness: &impl Liveness,
        wait_loop: &WaitLoop,
        until: Until,
    ) -> Ended {
        let mut left_to_next = false;
        let waited = wait_loop.wait(
            liveness.notices(),
            until,
            |_| self.poll(round),
            |extent| {
                let repaired = self.repair(round, liveness, extent);
                left_to_next |= repaired.died_after_arrival || self.round() != round;
                let completed = repaired.completed.then_some(Checked::Found(Ended::Complete(true)));
                let removed = || liveness.object_is_removed().then_some(Ended::Closed);
                completed.or_else(|| removed().map(Checked::Removed))
            },
        );
        if left_to_next {
            // The next wait checks at once for the deaths that this wait left to a later round.
            wait_loop.forget_check();
        }
        waited.found.unwrap_or(Ended::TimedOut)
    }
}

#[cfg(all(test, loom))]
mod models;
