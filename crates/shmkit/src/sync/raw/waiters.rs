//! Waiting for a condition: a record for each waiter.
//!
//! ```text
//! line    | 0 closed | 8 turn | 16 .. 16 words, a bit for each record ..
//! record  63            32 31   15 14   13 12          2    1     0
//!         +---------------+-------+-------+-------------+--------+---+
//!         |  generation   |   0   | state |  slot + 1   | ASLEEP | 0 |
//!         +---------------+-------+-------+-------------+--------+---+
//! ```
//!
//! | state | meaning | who may leave it |
//! |---|---|---|
//! | FREE | no waiter | any participant, by storing its own id: to WAITING |
//! | WAITING | a thread waits | a notifier, to NOTIFIED; the waiter, to LEAVING |
//! | NOTIFIED | it was notified, and does not hold the lock again yet | the waiter, to FREE |
//! | LEAVING | it gave up | the waiter, to FREE |
//!
//! Once the waiter is dead, a process that needs the record stores its own id in it, LEAVING, and
//! then FREE. For a NOTIFIED record, that process is another waiter, which has made its own record
//! NOTIFIED before and continues in place of the dead waiter.
//!
//! A record's bit is set after the record becomes WAITING and before the waiter releases the lock,
//! and cleared before the record becomes FREE. So a notifier looks only at records of waiters. A
//! bit that a dead waiter left costs an additional look. A process that takes no part (a repair)
//! takes a dead waiter's record to FREE at once, and leaves the bit: a notifier notifies no record
//! that is not WAITING.
//!
//! # Why no notification is lost
//!
//! A notification exchanges WAITING for NOTIFIED, and a waiter continues because of such an
//! exchange: so each notification is for one waiter, and each waiter continues because of one. A
//! waiter whose time is over exchanges WAITING for LEAVING; if that fails, it was notified. A
//! notified waiter keeps its record until it holds the lock again; then the notification is used.
//! If it dies before that, another waiter that finds its record at a slow check notifies itself,
//! and then removes the dead waiter's record. If two waiters find it, only one removes it, and the
//! other wakes spuriously; so does one more if the first dies in between. A wake is only for speed:
//! each waiter sleeps on its own record, and looks at it after each slice.
//!
//! # Why there is no thundering herd
//!
//! `notify_all` changes every record from WAITING to NOTIFIED, and wakes the first waiter. Each
//! waiter that continues wakes the next notified one once it holds the lock again. So two waiters
//! are awake at a time, not all.

use crate::memory::atomic::{AtomicU64, Ordering};
use crate::object::LINE_WORDS;
use crate::participant::{Liveness, ParticipantId};
use crate::wait::{
    ASLEEP, CLOSED, Checked, Poll, SleepTicket, Stop, Until, WaitLoop, WaitWord, Wake,
};

/// How many threads can wait at a time.
pub(crate) const RECORDS: usize = if cfg!(loom) { 4 } else { 896 };
/// How many records one word of bits covers.
const BITS: usize = 64;
const _: () = assert!(RECORDS.div_ceil(BITS) <= LINE_WORDS - 2, "a bit for each, in the line");

const STATE: u64 = 0b11 << 13;
const FREE: u64 = 0;
const WAITING: u64 = 1 << 13;
const NOTIFIED: u64 = 2 << 13;
const LEAVING: u64 = 3 << 13;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By a notification.
    Notified,
    /// By a notification of a waiter that died.
    Inherited,
    /// By its deadline.
    TimedOut,
    /// It was stopped.
    Stopped(Stop),
    /// Another participant has the record: this participant lost its liveness lock.
    Lost,
    /// By the removal of the object, or because [`Liveness::object_is_removed`] returned true.
    Closed,
}

impl Ended {
    /// Returns whether the waiter keeps its record until it holds the lock again.
    pub(crate) fn is_notified(self) -> bool {
        matches!(self, Self::Notified | Self::Inherited)
    }
}

/// Why a thread did not begin to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegisterError {
    /// Living waiters have all records.
    Full,
    /// There was a notification of a dead waiter, and no other waiter: this thread takes it.
    Notified,
}

/// The records of waiters.
#[derive(Clone, Copy)]
pub(crate) struct Waiters<'a> {
    /// Bit 0: the object was retired.
    pub(crate) state: &'a AtomicU64,
    /// Where the next search for a waiter to notify begins.
    pub(crate) turn: &'a AtomicU64,
    pub(crate) bits: &'a [AtomicU64],
    pub(crate) records: &'a [AtomicU64],
}

impl<'a> Waiters<'a> {
    /// The words in a line, and the records in the data.
    pub(crate) fn of(line: &'a [AtomicU64; LINE_WORDS], records: &'a [AtomicU64]) -> Self {
        let [state, turn, bits @ ..] = line;
        let bits = &bits[..records.len().div_ceil(BITS).min(bits.len())];
        Self { state, turn, bits, records: &records[..records.len().min(bits.len() * BITS)] }
    }

    /// Returns whether the object was retired.
    pub(crate) fn is_closed(self) -> bool {
        // ORDERING: Relaxed; nothing is read after it.
        self.state.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// Returns how many wait, and how many were notified but do not hold the lock again yet.
    pub(crate) fn count(self) -> (usize, usize) {
        let [waiting, notified] = [WAITING, NOTIFIED].map(|state| {
            (0..self.records.len()).filter(|&it| self.load(it) & STATE == state).count()
        });
        (waiting, notified)
    }

    /// Returns the participants that wait or were notified.
    pub(crate) fn holders(self) -> impl Iterator<Item = ParticipantId> {
        let records = (0..self.records.len()).map(move |index| self.load(index));
        records.filter(|record| record & STATE != FREE).filter_map(ParticipantId::from_bits)
    }

    fn load(self, index: usize) -> u64 {
        // ORDERING: Acquire; pairs with the exchanges below.
        self.records[index].load(Ordering::Acquire)
    }

    fn exchange(self, index: usize, from: u64, to: u64) -> bool {
        // ORDERING: AcqRel; a notified waiter sees what was done before, and a waiter that reuses a
        // record finds its bit as the previous waiter left it.
        self.wait_word(index).change(from, to, Ordering::AcqRel, Wake::Nobody).is_ok()
    }

    /// Returns the records whose bits are set, from `start` on, then from 0 to `start`.
    fn marked(self, start: usize) -> impl Iterator<Item = usize> {
        let words = self.bits.len();
        let (first, above) = (start / BITS % words, u64::MAX << (start % BITS));
        // The first word is loaded twice: the second time for the bits below `start`.
        let load = move |step: usize| {
            let word = if first + step < words { first + step } else { first + step - words };
            let mask = match step {
                0 => above,
                last if last == words => !above,
                _ => u64::MAX,
            };
            // ORDERING: Acquire; pairs with the exchange that set the bits.
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

    /// Takes a record: from then on the thread waits.
    pub(crate) fn register(
        self,
        me: ParticipantId,
        liveness: &impl Liveness,
    ) -> Result<usize, RegisterError> {
        let records = || (0..self.records.len()).map(|index| (index, self.load(index)));
        let free = || records().find(|(_, record)| record & STATE == FREE);
        let mine = me.to_bits() | WAITING;
        loop {
            match free() {
                Some((index, record)) => {
                    if self.exchange(index, record, mine) {
                        self.publish(index);
                        return Ok(index);
                    }
                }
                None => self.make_room(me, liveness)?,
            }
        }
    }

    /// Sets a record's bit, by which notifiers find it.
    fn publish(self, index: usize) {
        // CRASH: dying here leaves a record without a bit, which no notifier looks at: it is freed
        // when all records are in use.
        crash_point!("condvar: registered, not yet seen");
        // ORDERING: AcqRel; the record is WAITING before. A notifier that must see the bit held the
        // lock after this waiter, which orders them.
        self.bits[index / BITS].fetch_or(1 << (index % BITS), Ordering::AcqRel);
    }

    /// Frees a record, if `me` has it.
    pub(crate) fn leave(self, index: usize, me: ParticipantId) {
        if ParticipantId::from_bits(self.load(index)) != Some(me) {
            // This participant lost its liveness lock, and another may have its record.
            return;
        }
        // ORDERING: AcqRel; ordered before the store of FREE.
        self.bits[index / BITS].fetch_and(!(1 << (index % BITS)), Ordering::AcqRel);
        // CRASH: dying here leaves a dead waiter's record.
        crash_point!("condvar: leaving");
        // ORDERING: Release; pairs with the exchange in `register`: its bit is cleared before.
        self.records[index].store(FREE, Ordering::Release);
    }

    /// Frees the record of a dead waiter.
    #[cold]
    fn make_room(self, me: ParticipantId, liveness: &impl Liveness) -> Result<(), RegisterError> {
        let mut left = None;
        for index in 0..self.records.len() {
            let record = self.load(index);
            let holder = ParticipantId::from_bits(record);
            if !holder.is_none_or(|holder| liveness.reap_if_dead(holder)) {
                continue;
            }
            match record & STATE {
                FREE => return Ok(()),
                // Existing waiters come before this thread, which has not waited yet.
                NOTIFIED => left = Some((index, record)),
                _ if self.take_out(index, record, me) => return Ok(()),
                _ => {}
            }
        }
        match left {
            Some((index, record)) if self.take_out(index, record, me) => {
                Err(RegisterError::Notified)
            }
            Some(_) => Ok(()),
            None => Err(RegisterError::Full),
        }
    }

    /// Stores `me` in a dead waiter's record, and frees it. False if another process did.
    fn take_out(self, index: usize, record: u64, me: ParticipantId) -> bool {
        let taken = self.exchange(index, record, me.to_bits() | LEAVING);
        if taken {
            self.leave(index, me);
        }
        taken
    }

    /// Frees the records of dead waiters, for a process that is no waiter. A notification that a
    /// dead waiter had goes to another, if any waits.
    ///
    /// Without an id to store, it cannot clear the record's bit: that costs an additional look.
    pub(crate) fn reap(self, liveness: &impl Liveness) {
        for index in 0..self.records.len() {
            let record = self.load(index);
            let holder = ParticipantId::from_bits(record);
            if record & STATE == FREE || !holder.is_none_or(|it| liveness.reap_if_dead(it)) {
                continue;
            }
            if record & STATE == NOTIFIED {
                self.notify_one();
            }
            // CRASH: dying here leaves two records for one notification: one waiter more continues.
            self.exchange(index, record, FREE);
        }
    }

    /// Takes over the notification of a dead waiter for the record at `index`, which becomes
    /// NOTIFIED. False if there is no such notification.
    fn inherit(self, index: usize, me: ParticipantId, liveness: &impl Liveness) -> bool {
        let records = self.marked(0).map(|index| (index, self.load(index)));
        let of_dead = |record| {
            ParticipantId::from_bits(record).is_some_and(|holder| liveness.reap_if_dead(holder))
        };
        let mut left = records.filter(|(_, record)| record & STATE == NOTIFIED && of_dead(*record));
        let Some((dead, record)) = left.next() else { return false };
        if self.notify(index, 0).is_some() {
            // CRASH: dying here leaves two records for one notification: one waiter more continues.
            self.take_out(dead, record, me);
        }
        // If this waiter was itself notified, the dead waiter's notification stays for another.
        true
    }

    /// Returns how the wait in the record at `index` ended; otherwise returns what to sleep on.
    pub(crate) fn poll(self, index: usize, me: ParticipantId) -> Poll<'a, Ended> {
        match self.load(index) {
            record if ParticipantId::from_bits(record) != Some(me) => Poll::Ready(Ended::Lost),
            record if record & STATE == NOTIFIED => Poll::Ready(Ended::Notified),
            record => Poll::Pending(SleepTicket::new(self.wait_word(index), record)),
        }
    }

    fn wait_word(self, index: usize) -> WaitWord<'a> {
        WaitWord::new(&self.records[index])
    }

    /// Waits for a notification. After one, the waiter frees the record by [`leave`](Self::leave)
    /// once it holds the lock again; without one, the record is already free.
    pub(crate) fn wait(
        self,
        index: usize,
        me: ParticipantId,
        liveness: &impl Liveness,
        wait_loop: &WaitLoop,
        until: Until,
    ) -> Ended {
        let waited = wait_loop.wait(
            liveness.notices(),
            until,
            |_| self.poll(index, me),
            |_| {
                let inherited = self.inherit(index, me, liveness).then_some(Ended::Inherited);
                let removed = || liveness.object_is_removed().then_some(Ended::Closed);
                inherited.map(Checked::Found).or_else(|| removed().map(Checked::Removed))
            },
        );
        match waited.result(|| Ended::TimedOut, Ended::Stopped) {
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
            if record & STATE != WAITING || ParticipantId::from_bits(record) != Some(me) {
                return record & STATE != NOTIFIED;
            }
            let leaving = record & !(STATE | ASLEEP) | LEAVING;
            if self.exchange(index, record, leaving) {
                return true;
            }
        }
    }

    /// Notifies one waiter, if there is any.
    pub(crate) fn notify_one(self) {
        // ORDERING: Relaxed; it only makes the search fair.
        let turn = self.turn.load(Ordering::Relaxed) as usize % (self.bits.len() * BITS);
        for index in self.marked(turn) {
            let Some(record) = self.notify(index, 0) else { continue };
            // ORDERING: Relaxed; as above.
            self.turn.store(index as u64 + 1, Ordering::Relaxed);
            if record & ASLEEP != 0 {
                self.wake(index, record);
            }
            return;
        }
    }

    /// Notifies all waiters, and wakes the first.
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

    /// Notifies the waiter in a record, keeping `marks`. Returns the previous record.
    ///
    /// It does not wake: `notify_all` notifies all waiters, but wakes only the first.
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

    /// Wakes the waiter in a record, which was `had` when the waiter went to sleep.
    fn wake(self, index: usize, had: u64) {
        // CRASH: dying here loses this wake; the waiter looks again at the end of its slice.
        crash_point!("condvar: notified, nobody woken");
        self.wait_word(index).wake(had, Wake::All);
    }

    /// Wakes the next waiter, from `start` on, that was notified and sleeps.
    pub(crate) fn wake_notified(self, start: usize) {
        for index in self.marked(start) {
            let Some(record) = self.records.get(index).map(|_| self.load(index)) else { continue };
            let sleeps = record & (STATE | ASLEEP) == NOTIFIED | ASLEEP;
            if sleeps && self.exchange(index, record, record & !ASLEEP) {
                // The record as it was when the waiter went to sleep.
                let had = record & !STATE | WAITING;
                return self.wake(index, had);
            }
        }
    }
}

#[cfg(all(test, loom))]
mod models;
