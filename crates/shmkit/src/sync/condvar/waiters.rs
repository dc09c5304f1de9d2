//! The protocol of those who wait for a condition: a record for each.
//!
//! ```text
//! line    | 0 closed | 8 turn | 16 .. 16 words, a bit for each record ..
//! record  63            32 31          16 15    4   3   2     1     0
//!         +---------------+--------------+-------+-------+--------+---+
//!         |  generation   |   slot + 1   |   0   | state | ASLEEP | 0 |
//!         +---------------+--------------+-------+-------+--------+---+
//! ```
//!
//! | state | meaning | who may leave it |
//! |---|---|---|
//! | FREE | nobody's | anybody, by writing himself in: to WAITING |
//! | WAITING | somebody waits | a notifier, to NOTIFIED; the waiter, to LEAVING |
//! | NOTIFIED | he was notified, and does not have the lock again | he, to FREE |
//! | LEAVING | he gave up | he, to FREE |
//!
//! Once he is dead, whoever needs the record makes it his own, LEAVING, and then FREE: of a
//! NOTIFIED one that is another waiter, who is NOTIFIED by then and goes on in his place.
//!
//! A record's bit is set behind its becoming WAITING and before the lock is given up, and cleared
//! before its becoming FREE, so that a notifier looks at the records of those who wait alone. A
//! bit that a dead one left costs a look.
//!
//! # Why no notification is lost
//!
//! To notify is to exchange WAITING for NOTIFIED, and to go on is to have been exchanged: so each
//! notification is one waiter's, and each goes on for one. A waiter whose time is over exchanges
//! WAITING for LEAVING, and where that fails it was notified. A notified one stays in its record
//! until it has the lock again: then it has gone on. If it dies before, whoever waits and finds its
//! record at the end of a slice notifies himself, and then takes it out. Of two who find it only
//! one takes it out, and the other goes on for nothing; so does one more if he dies in between.
//! A wake is only for speed: each waits on his own record, and looks at it after each slice.
//!
//! # Why there is no thundering herd
//!
//! To notify all is to exchange the state of all, and to wake the first. Each who goes on wakes the
//! next notified one once it has the lock again, so that two are awake at a time, not all.

use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sync::membership::LINE_WORDS;
use crate::sync::owner::{Liveness, ParticipantId};
use crate::sync::sleepers::{ASLEEP, CLOSED, Habit, Sleepers};
use crate::sync::until::Until;

/// How many can wait at a time.
pub(crate) const RECORDS: usize = if cfg!(loom) { 4 } else { 896 };
/// Words of bits, each for so many records.
const BITS: usize = 64;
const _: () = assert!(RECORDS.div_ceil(BITS) <= LINE_WORDS - 2, "a bit for each, in the line");

const STATE: u64 = 0b11 << 2;
const FREE: u64 = 0;
const WAITING: u64 = 1 << 2;
const NOTIFIED: u64 = 2 << 2;
const LEAVING: u64 = 3 << 2;
const SLOT_SHIFT: u32 = 16;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By a notification.
    Notified,
    /// By one that had gone to a dead one.
    Inherited,
    /// By its time.
    TimedOut,
    /// The record is another's: this one lost the proof of its life.
    Lost,
    /// By the object's end, or by what else the liveness takes for one.
    Closed,
}

impl Ended {
    /// Whether the waiter is in its record until it has gone on.
    pub(crate) fn is_notified(self) -> bool {
        matches!(self, Self::Notified | Self::Inherited)
    }
}

/// Why nobody can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnlistError {
    /// All records are taken by the living.
    Full,
    /// There was a notification that nobody living waits for: it is this one's.
    Notified,
}

/// The records of those who wait.
#[derive(Clone, Copy)]
pub(crate) struct Waiters<'a> {
    /// Bit 0: the object was retired.
    pub(crate) state: &'a AtomicU64,
    /// Where the next search for somebody to notify begins.
    pub(crate) turn: &'a AtomicU64,
    pub(crate) bits: &'a [AtomicU64],
    pub(crate) records: &'a [AtomicU64],
}

fn record_of(me: ParticipantId) -> u64 {
    u64::from(me.generation) << 32 | u64::from(me.slot + 1) << SLOT_SHIFT
}

fn holder_of(record: u64) -> Option<ParticipantId> {
    let slot = (record >> SLOT_SHIFT) as u16;
    let generation = (record >> 32) as u32;
    u32::from(slot).checked_sub(1).map(|slot| ParticipantId { slot, generation })
}

impl<'a> Waiters<'a> {
    /// In a line and what goes with it.
    pub(crate) fn of(line: &'a [AtomicU64; LINE_WORDS], records: &'a [AtomicU64]) -> Self {
        let [state, turn, bits @ ..] = line;
        let bits = &bits[..records.len().div_ceil(BITS).min(bits.len())];
        Self { state, turn, bits, records: &records[..records.len().min(bits.len() * BITS)] }
    }

    /// Whether the object was retired.
    pub(crate) fn is_closed(self) -> bool {
        // ORDERING: Relaxed; nothing is read by it.
        self.state.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// How many wait, and how many were notified and have not gone on.
    pub(crate) fn count(self) -> (usize, usize) {
        let [waiting, notified] = [WAITING, NOTIFIED].map(|state| {
            (0..self.records.len()).filter(|&it| self.load(it) & STATE == state).count()
        });
        (waiting, notified)
    }

    /// Who waits, or was notified.
    pub(crate) fn holders(self) -> impl Iterator<Item = ParticipantId> {
        let records = (0..self.records.len()).map(move |index| self.load(index));
        records.filter(|record| record & STATE != FREE).filter_map(holder_of)
    }

    fn load(self, index: usize) -> u64 {
        // ORDERING: Acquire; pairs with the exchanges below.
        self.records[index].load(Ordering::Acquire)
    }

    fn exchange(self, index: usize, from: u64, to: u64) -> bool {
        // ORDERING: AcqRel; who is notified sees what was done before, and who gets a record that
        // another had finds its bit as it was left.
        let order = Ordering::AcqRel;
        self.records[index].compare_exchange(from, to, order, Ordering::Relaxed).is_ok()
    }

    /// The records whose bits are set, from `start` on and around.
    fn marked(self, start: usize) -> impl Iterator<Item = usize> {
        let words = self.bits.len();
        let (first, above) = (start / BITS % words, u64::MAX << (start % BITS));
        // The first word comes twice: at the end once more, for what is below `start`.
        let load = move |step: usize| {
            let word = if first + step < words { first + step } else { first + step - words };
            let mask = match step {
                0 => above,
                last if last == words => !above,
                _ => u64::MAX,
            };
            // ORDERING: Acquire; pairs with the exchange that set them.
            (word, self.bits[word].load(Ordering::Acquire) & mask)
        };
        let (mut step, (mut word, mut bits)) = (0, load(0));
        std::iter::from_fn(move || {
            while bits == 0 {
                if step == words {
                    return None;
                }
                step += 1;
                (word, bits) = load(step);
            }
            let bit = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            Some(word * BITS + bit)
        })
    }

    /// Takes a record. `Err`: all are taken, or one of them gave a notification right away.
    pub(crate) fn enlist(
        self,
        me: ParticipantId,
        liveness: &impl Liveness,
    ) -> Result<usize, EnlistError> {
        let records = || (0..self.records.len()).map(|index| (index, self.load(index)));
        let free = || records().find(|(_, record)| record & STATE == FREE);
        let mine = record_of(me) | WAITING;
        loop {
            match free() {
                Some((index, record)) => {
                    if self.exchange(index, record, mine) {
                        return Ok(self.be_seen(index));
                    }
                }
                None => self.make_room(me, liveness)?,
            }
        }
    }

    fn be_seen(self, index: usize) -> usize {
        // CRASH: dying here leaves a record without a bit, which nobody looks at: it is found when
        // all records are taken.
        crash_point!("condvar: enlisted, not yet seen");
        // ORDERING: AcqRel; the record is WAITING before. A notifier who has to see the bit had the
        // lock behind this waiter, which orders them.
        self.bits[index / BITS].fetch_or(1 << (index % BITS), Ordering::AcqRel);
        index
    }

    /// Gives a record back, if it is one's own.
    pub(crate) fn leave(self, index: usize, me: ParticipantId) {
        if holder_of(self.load(index)) != Some(me) {
            // One that lost the proof of its life was taken out, and another may be in it.
            return;
        }
        // ORDERING: AcqRel; before the record is FREE.
        self.bits[index / BITS].fetch_and(!(1 << (index % BITS)), Ordering::AcqRel);
        // CRASH: dying here leaves a record that is a dead one's.
        crash_point!("condvar: leaving");
        // ORDERING: Release; pairs with the exchange in `enlist`: its bit is cleared before.
        self.records[index].store(FREE, Ordering::Release);
    }

    /// Frees a dead one's record.
    #[cold]
    fn make_room(self, me: ParticipantId, liveness: &impl Liveness) -> Result<(), EnlistError> {
        let mut left = None;
        for index in 0..self.records.len() {
            let record = self.load(index);
            let dead = holder_of(record).is_none_or(|holder| liveness.is_dead(holder));
            if !dead {
                continue;
            }
            match record & STATE {
                FREE => return Ok(()),
                // Those who wait have a right to it before one who comes now.
                NOTIFIED => left = Some((index, record)),
                _ if self.take_out(index, record, me) => return Ok(()),
                _ => {}
            }
        }
        match left {
            Some((index, record)) if self.take_out(index, record, me) => Err(EnlistError::Notified),
            Some(_) => Ok(()),
            None => Err(EnlistError::Full),
        }
    }

    /// Makes a dead one's record one's own, and gives it back. False if another did.
    fn take_out(self, index: usize, record: u64, me: ParticipantId) -> bool {
        let taken = self.exchange(index, record, record_of(me) | LEAVING);
        if taken {
            self.leave(index, me);
        }
        taken
    }

    /// Takes a notification over that went to one who is dead: for who waits in the record at
    /// `index`, which is notified then. False if there is none.
    fn inherit(self, index: usize, me: ParticipantId, liveness: &impl Liveness) -> bool {
        let records = self.marked(0).map(|index| (index, self.load(index)));
        let of_dead = |record| holder_of(record).is_some_and(|holder| liveness.is_dead(holder));
        let mut left = records.filter(|(_, record)| record & STATE == NOTIFIED && of_dead(*record));
        let Some((dead, record)) = left.next() else { return false };
        if self.notify(index, 0).is_some() {
            // CRASH: dying here leaves two records for one notification: one more goes on.
            self.take_out(dead, record, me);
        }
        // Or it was notified itself by now: then there is one more for another.
        true
    }

    /// Waits for a notification. With one, the record is to be given back by
    /// [`leave`](Self::leave) once the waiter has gone on; else it is.
    pub(crate) fn wait(
        self,
        index: usize,
        me: ParticipantId,
        liveness: &impl Liveness,
        habit: &Habit,
        until: Until,
    ) -> Ended {
        let mut waiter = habit.waiter();
        let look = || match self.load(index) {
            record if holder_of(record) != Some(me) => Some(Ended::Lost),
            record => (record & STATE == NOTIFIED).then_some(Ended::Notified),
        };
        let slow_look = || {
            let inherited = self.inherit(index, me, liveness).then_some(Ended::Inherited);
            inherited.or_else(|| liveness.is_gone().then_some(Ended::Closed))
        };
        let sleepers = Sleepers::new(&self.records[index]);
        let ended = waiter.wait(sleepers, until.deadline(), look, slow_look);
        habit.keep(&waiter);
        match ended.unwrap_or(Ended::TimedOut) {
            ended if ended.is_notified() || ended == Ended::Lost => ended,
            _ if !self.give_up(index, me) => Ended::Notified,
            ended => {
                self.leave(index, me);
                ended
            }
        }
    }

    /// Gives up waiting. False if it was notified before.
    fn give_up(self, index: usize, me: ParticipantId) -> bool {
        loop {
            let record = self.load(index);
            if record & STATE != WAITING || holder_of(record) != Some(me) {
                return record & STATE != NOTIFIED;
            }
            if self.exchange(index, record, record & !(STATE | ASLEEP) | LEAVING) {
                return true;
            }
        }
    }

    /// Lets one go on who waits, if any does.
    pub(crate) fn notify_one(self) {
        // ORDERING: Relaxed; a fair place to begin, no more.
        let turn = self.turn.load(Ordering::Relaxed) as usize % (self.bits.len() * BITS);
        for index in self.marked(turn) {
            let Some(record) = self.notify(index, 0) else { continue };
            // ORDERING: Relaxed; as above.
            self.turn.store(index as u64 + 1, Ordering::Relaxed);
            if record & ASLEEP != 0 {
                Sleepers::new(&self.records[index]).wake(record);
            }
            return;
        }
    }

    /// Lets all go on who wait: wakes the first.
    pub(crate) fn notify_all(self) {
        let mut first = None;
        for index in self.marked(0) {
            if self.notify(index, ASLEEP).is_some() {
                first.get_or_insert(index);
            }
        }
        if let Some(first) = first {
            self.wake_notified(first);
        }
    }

    /// Notifies one who waits, keeping `marks`. The record as it was.
    fn notify(self, index: usize, marks: u64) -> Option<u64> {
        loop {
            let record = self.records.get(index).map(|_| self.load(index))?;
            if record & STATE != WAITING {
                return None;
            }
            let notified = record & !(STATE | ASLEEP) | NOTIFIED | record & marks;
            if self.exchange(index, record, notified) {
                return Some(record);
            }
        }
    }

    /// Wakes the next, from `start` on, who was notified and sleeps.
    pub(crate) fn wake_notified(self, start: usize) {
        for index in self.marked(start) {
            let Some(record) = self.records.get(index).map(|_| self.load(index)) else { continue };
            let asleep = record & (STATE | ASLEEP) == NOTIFIED | ASLEEP;
            if asleep && self.exchange(index, record, record & !ASLEEP) {
                // As it was when it went to sleep.
                let had = record & !STATE | WAITING;
                return Sleepers::new(&self.records[index]).wake(had);
            }
        }
    }
}

#[cfg(all(test, loom))]
mod models;
