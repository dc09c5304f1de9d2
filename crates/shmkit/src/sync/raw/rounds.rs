//! Barriers and latches in rounds: a record for each party.
//!
//! ```text
//! word    63            20 19               4      3       2     1        0
//!         +---------------+------------------+---------+------+--------+--------+
//!         |     round     | the last 8 ended | ABORTED | OPEN | ASLEEP | CLOSED |
//!         +---------------+------------------+---------+------+--------+--------+
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
//! | BREAKING | it died, and breaks the recorded round | any participant, to FREE; or see below |
//!
//! If a party is dead, any participant sets its record to BREAKING, then ends the round as broken,
//! then frees the record. (Not of a latch's party that has arrived: what it did is done.)
//!
//! A round is complete when every record is ARRIVED in it. Any process that sees this moves the
//! word to the next round, by one exchange, perhaps before the last party to arrive has looked. No
//! count of arrivals is stored, so the count cannot be wrong. Bits 4 to 19 say how each of the last
//! eight rounds ended, in two bits: 0 complete, 1 broken by a death, 2 aborted. Bits 4 and 5 are
//! for the previous round. A latch has one round that is completed, and stays OPEN; rounds can be
//! broken there too, but not aborted.
//!
//! Any participant aborts a barrier: by an exchange that sets ABORTED. From then on no round ends,
//! and all waiters get an error, until a participant resets the barrier: by the exchange that moves
//! the word to the next round, ends the previous one as aborted, and clears ABORTED. So a waiter
//! that looks only after a reset also learns of it. A party that dies meanwhile leaves its place,
//! and breaks no round.
//!
//! # Why no party goes on alone
//!
//! A party that waits goes on together with the others, so a party that died while it waited breaks
//! the round, too. The last party to arrive finds this death: it asks about all parties before it
//! ends the round. It asks once in 25 ms, or when there is news, so that fast rounds stay fast. If
//! a party died later than that, the round completes, and the death breaks the next one.
//!
//! # Why each death breaks one round
//!
//! The record names the round before that round is broken, and is freed only after. If a process is
//! killed in between, the next process continues with this record: breaking exchanges exactly the
//! recorded round, so it happens once. The recorded round is the current round after the death. If
//! another party's death breaks it first, that also reports this death. If a process that had seen
//! the dead party arrive completes it first, the record stays, and names the next round: no round
//! completes while a record is BREAKING, except by a process that had looked at it before.
//!
//! A waiter breaks only the round for which it waits: so a death that it finds is reported at least
//! to this waiter. A participant that joins breaks the round for nobody: it takes the place.

use crate::memory::atomic::{AtomicU64, Ordering, fence_in_model};
use crate::participant::{Liveness, ParticipantId};
use crate::wait::{
    ASLEEP, CLOSED, Checked, Extent, Poll, SleepTicket, Stop, Until, WaitLoop, WaitWord, Wake,
};

/// The most parties.
pub(crate) const MAX_PARTIES: usize = 1_024;

const OPEN: u64 = 1 << 2;
const ABORTED: u64 = 1 << 3;
const HISTORY_SHIFT: u64 = 4;
/// How many rounds the history has, and how many bits for each.
const HISTORY_ROUNDS: u64 = 8;
const END_BITS: u64 = 2;
const END: u64 = (1 << END_BITS) - 1;
const ROUND: u64 = 1 << (HISTORY_SHIFT + HISTORY_ROUNDS * END_BITS);
const HISTORY: u64 = ROUND - (1 << HISTORY_SHIFT);

/// How a round ended, in the history. Anything else counts as ended by a reset.
const COMPLETED: u64 = 0;
const BROKEN: u64 = 1;
const RESET: u64 = 2;

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
    /// A participant aborted the barrier, or reset it.
    Aborted,
    /// The deadline passed.
    TimedOut,
    /// The wait was stopped.
    Stopped(Stop),
    /// The object was retired.
    Closed,
}

/// The words of a barrier or a latch.
#[derive(Clone, Copy)]
pub(crate) struct Rounds<'a> {
    pub(crate) word: &'a AtomicU64,
    pub(crate) records: &'a [AtomicU64],
    /// A latch: it is completed once.
    pub(crate) once: bool,
}

/// Returns the word in the next round, when this one ended so.
fn next_round(word: u64, how: u64) -> u64 {
    let history = word << END_BITS & HISTORY & !(END << HISTORY_SHIFT) | how << HISTORY_SHIFT;
    word.wrapping_add(ROUND) & !(HISTORY | ASLEEP | ABORTED) | history
}

/// Returns how a round ended: 1 for the previous one, up to 8.
fn end_of(word: u64, rounds_ago: u64) -> u64 {
    word >> (HISTORY_SHIFT + END_BITS * (rounds_ago - 1)) & END
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

    /// Returns whether the barrier is aborted.
    pub(crate) fn is_aborted(self) -> bool {
        self.look() & ABORTED != 0
    }

    /// Returns whether the record's party has arrived.
    fn has_arrived(self, record: u64, round: u64) -> bool {
        record & STATE == ARRIVED
            && (self.once || record & IN_ROUND == (round << IN_ROUND_SHIFT) & IN_ROUND)
    }

    /// Returns how many parties have arrived, and how many have joined but not arrived. No party
    /// has arrived at an aborted barrier.
    pub(crate) fn count(self) -> (usize, usize) {
        let (round, is_aborted) = (self.round(), self.is_aborted());
        let taken = (0..self.records.len()).map(|index| self.load(index));
        let taken = taken.filter(|record| record & STATE != FREE);
        let (here, missing): (Vec<_>, Vec<_>) =
            taken.partition(|it| !is_aborted && self.has_arrived(*it, round));
        (here.len(), missing.len())
    }

    /// Returns the participants that are parties. One that has arrived at a latch is a party no
    /// more: what it did is done, and its end changes nothing.
    pub(crate) fn parties(self) -> impl Iterator<Item = ParticipantId> {
        let records = (0..self.records.len()).map(move |index| self.load(index));
        let parties = records.filter(move |it| !self.once || it & STATE != ARRIVED);
        parties.filter_map(ParticipantId::from_bits)
    }

    /// Breaks the round for each party that died, and frees their places. For a process that waits
    /// for no round.
    pub(crate) fn reap(self, liveness: &impl Liveness) {
        (0..self.records.len()).for_each(|index| self.break_for(index, None, liveness));
    }

    /// Takes a place among the parties. `None`: none is free.
    pub(crate) fn join(self, me: ParticipantId, liveness: &impl Liveness) -> Option<usize> {
        self.reap(liveness);
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
            // CRASH: dying before or after this breaks the round, unless it completes first.
            if self.exchange(index, record, in_round(record, round, ARRIVED)) {
                crash_point!("barrier: arrived, not yet seen");
                // If that round is already over, it completed with this party, or was broken.
                return Some(round);
            }
        }
    }

    fn have_all_arrived(self, round: u64) -> bool {
        fence_in_model();
        (0..self.records.len()).all(|it| self.has_arrived(self.load(it), round))
    }

    /// Ends the round if all parties have arrived. Returns whether this call ended it.
    pub(crate) fn end_if_all_arrived(self, round: u64) -> bool {
        self.have_all_arrived(round) && self.end(round, COMPLETED)
    }

    /// For a party that arrived in `round`: ends it if all have arrived. If the slow check is due,
    /// breaks it instead if one of them died. Returns whether this call completed the round.
    pub(crate) fn complete(
        self,
        round: u64,
        liveness: &impl Liveness,
        wait_loop: &WaitLoop,
    ) -> bool {
        if !self.have_all_arrived(round) {
            return false;
        }
        if wait_loop.take_due_check(liveness.notices()).is_none() {
            return self.end(round, COMPLETED);
        }
        let completed = self.complete_or_break(round, liveness);
        if !completed {
            // The next wait checks at once for the deaths that this call left to a later round.
            wait_loop.forget_check();
        }
        completed
    }

    /// Ends a round in which all parties have arrived: as broken if one of them died.
    fn complete_or_break(self, round: u64, liveness: &impl Liveness) -> bool {
        // A latch opens all the same.
        if !self.once {
            (0..self.records.len()).for_each(|it| self.break_for(it, Some(round), liveness));
        }
        self.end_if_all_arrived(round)
    }

    /// Ends the round in one of these ways. Returns whether this call did.
    fn end(self, round: u64, how: u64) -> bool {
        let mut had = self.look();
        while had / ROUND == round && had & (CLOSED | OPEN | ABORTED) == 0 {
            let next = match (self.once, how) {
                (true, COMPLETED) => had & !ASLEEP | OPEN,
                _ => next_round(had, how),
            };
            match self.change(had, next) {
                Ok(()) => return true,
                Err(found) => had = found,
            }
        }
        false
    }

    /// Aborts the barrier: all waiters continue with an error. False if the object was retired.
    pub(crate) fn abort(self) -> bool {
        let mut had = self.look();
        while had & (CLOSED | ABORTED) == 0 {
            match self.change(had, had & !ASLEEP | ABORTED) {
                Ok(()) => return true,
                Err(found) => had = found,
            }
        }
        had & CLOSED == 0
    }

    /// Begins a new round; all waiters continue with an error. False if the object was retired.
    pub(crate) fn reset(self) -> bool {
        let mut had = self.look();
        while had & CLOSED == 0 {
            match self.change(had, next_round(had, RESET)) {
                Ok(()) => return true,
                Err(found) => had = found,
            }
        }
        false
    }

    /// Exchanges the word, and wakes all waiters.
    fn change(self, from: u64, to: u64) -> Result<(), u64> {
        // ORDERING: AcqRel; pairs with the Acquire in `look`: a party that continues sees what all
        // parties did before they arrived.
        WaitWord::new(self.word).change(from, to, Ordering::AcqRel, Wake::All)
    }

    /// Returns how a round ended; otherwise returns what to sleep on.
    pub(crate) fn poll(self, round: u64) -> Poll<'a, Ended> {
        let now = self.look();
        if now & OPEN != 0 {
            return Poll::Ready(Ended::Complete(false));
        }
        Poll::Ready(match (now / ROUND).wrapping_sub(round) {
            0 if now & CLOSED != 0 => Ended::Closed,
            0 if now & ABORTED != 0 => Ended::Aborted,
            0 => return Poll::Pending(SleepTicket::new(WaitWord::new(self.word), now)),
            later => match end_of(now, later.min(HISTORY_ROUNDS)) {
                COMPLETED if later <= HISTORY_ROUNDS => Ended::Complete(false),
                // The round is older than the history. No later round can complete without this
                // party, so one of them was broken.
                BROKEN | COMPLETED => Ended::Broken,
                _ => Ended::Aborted,
            },
        })
    }

    /// For a waiter of `round`: breaks it for parties that died. Ends it if all parties arrived and
    /// the last one is stopped, or died, before it ended it. Returns whether this call completed
    /// the round.
    ///
    /// A party that has arrived delays no waiter, and the last party asks about it. So a check asks
    /// about it only because of news, as the last party may come late. A waiter breaks no later
    /// round, since it could not report that death.
    pub(crate) fn repair(self, round: u64, liveness: &impl Liveness, extent: Extent<'_>) -> bool {
        let is_armed = || liveness.notices().is_some_and(|it| it.armed_since_ms().is_some());
        let asks_all = !self.once && matches!(extent, Extent::Everything) && is_armed();
        extent.each_slot(self.records.len() as u32, |index| {
            let record = self.load(index as usize);
            let asks = record & STATE != FREE
                && (asks_all || !self.has_arrived(record, round))
                && self.round() == round;
            if asks {
                self.break_for(index as usize, Some(round), liveness);
            }
            asks
        });
        self.have_all_arrived(round) && self.complete_or_break(round, liveness)
    }

    /// If the party of this record died, breaks the current round; with `this`, only if that is the
    /// current round.
    fn break_for(self, index: usize, this: Option<u64>, liveness: &impl Liveness) {
        /// The recorded round and the next: no later one completes.
        const ROUNDS: u32 = 2;
        for _ in 0..ROUNDS {
            let record = self.load(index);
            let party = ParticipantId::from_bits(record);
            let is_dead = party.is_none_or(|party| liveness.reap_if_dead(party));
            // Loaded after the death was seen, so that the death does not break an earlier round.
            let (round, state) = (self.round(), record & STATE);
            let has_arrived = self.once && state == ARRIVED;
            let is_other = this.is_some_and(|this| this != round);
            if state == FREE || !is_dead || has_arrived || is_other {
                return;
            }
            if self.break_round(index, record, round) {
                return;
            }
        }
    }

    /// Breaks the current round for the dead party of this record. False if the round completed.
    fn break_round(self, index: usize, mut record: u64, round: u64) -> bool {
        if record & STATE != BREAKING || self.was_completed(record) {
            let breaking = in_round(record, round, BREAKING);
            if !self.exchange(index, record, breaking) {
                return true;
            }
            record = breaking;
            crash_point!("barrier: death recorded, round not broken");
        }
        if record & IN_ROUND == (round << IN_ROUND_SHIFT) & IN_ROUND {
            self.end(round, BROKEN);
            crash_point!("barrier: round broken, record not free");
        }
        if self.was_completed(record) {
            return false;
        }
        self.exchange(index, record, FREE);
        true
    }

    /// Returns whether the recorded round is the previous one, and was completed. (An earlier one
    /// was followed by a broken one.)
    fn was_completed(self, record: u64) -> bool {
        let now = self.look();
        let previous = (now / ROUND).wrapping_sub(1);
        let is_of_previous = record & IN_ROUND == (previous << IN_ROUND_SHIFT) & IN_ROUND;
        is_of_previous && end_of(now, 1) == COMPLETED
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
                let completed = self.repair(round, liveness, extent);
                left_to_next |= self.round() != round;
                let completed = completed.then_some(Checked::Found(Ended::Complete(true)));
                let removed = || liveness.object_is_removed().then_some(Ended::Closed);
                completed.or_else(|| removed().map(Checked::Removed))
            },
        );
        if left_to_next {
            // The next wait checks at once for the deaths that this wait left to a later round.
            wait_loop.forget_check();
        }
        waited.result(|| Ended::TimedOut, Ended::Stopped)
    }
}

#[cfg(all(test, loom))]
mod models;
