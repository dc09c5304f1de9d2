//! The order of a queue with priorities: for each priority that a message has, the slots of its
//! messages, first in, first out.
//!
//! ```text
//! ranks        | priority | first, last |    one for each priority, the lowest first, at most as
//!              | priority | first, last |    many as there are slots
//! next         of each slot: the slot behind it with the same priority
//! ```
//!
//! The last rank has the highest priority, and its first slot is the next one to be received. To
//! send a message costs a binary search, and moves the ranks of higher priorities if no message of
//! its priority waits. To receive one moves nothing.
//!
//! All of it is derived from the slots, and used only by the holder of the queue's lock. If a
//! holder dies, or a message is given back, the next holder builds it again: see `rebuild`. The
//! same if a word has a value that no participant writes. A message that became READY then is sent
//! nevertheless: its sender sets the bit that makes receivers look, and the next holder puts it in
//! order.

use super::slots::{POSITIONS, Slot, Slots, State};
use crate::error::{Error, ErrorKind};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::ParticipantId;

/// Words of a rank.
pub(super) const RANK_WORDS: usize = 2;
const PRIORITY: usize = 0;
const ENDS: usize = 1;

/// The words of the order.
#[derive(Clone, Copy)]
pub(super) struct Ranks<'a> {
    /// The position of the next message.
    pub(super) tail: &'a AtomicU64,
    /// How many messages are in order: a receiver looks at it before it acquires the lock.
    pub(super) waiting: &'a AtomicU64,
    /// How many ranks there are.
    pub(super) count: &'a AtomicU64,
    pub(super) ranks: &'a [AtomicU64],
    pub(super) next: &'a [AtomicU64],
}

/// The words hold garbage: the order must be built again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Garbage;

/// What became of a message that was put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It is READY, and in order.
    InOrder,
    /// It is READY, and the words hold garbage: the order must be built again, with it.
    InNoOrder,
    /// Its slot is not the sender's any more: it is not sent.
    Lost,
}

// Each access is in the lock, which orders it: Relaxed.
fn load(word: &AtomicU64) -> u64 {
    // ORDERING: Relaxed; ordered by the lock, which the caller holds.
    word.load(Ordering::Relaxed)
}

fn store(word: &AtomicU64, value: u64) {
    // ORDERING: Relaxed; ordered by the lock, which the caller holds.
    word.store(value, Ordering::Relaxed);
}

impl<'a> Ranks<'a> {
    /// Returns whether a message is in order.
    #[inline(always)]
    pub(super) fn is_any_waiting(self) -> bool {
        self.waiting() > 0
    }

    /// How many messages are in order, about.
    #[inline(always)]
    pub(super) fn waiting(self) -> u64 {
        load(self.waiting)
    }

    fn rank(self, number: usize) -> Result<&'a [AtomicU64], Garbage> {
        let first = number * RANK_WORDS;
        self.ranks.get(first..first + RANK_WORDS).ok_or(Garbage)
    }

    fn len(self) -> Result<usize, Garbage> {
        let count = load(self.count) as usize;
        if count <= self.next.len() { Ok(count) } else { Err(Garbage) }
    }

    fn next(self, slot: u64) -> Result<&'a AtomicU64, Garbage> {
        self.next.get(slot as usize).ok_or(Garbage)
    }

    /// Makes a message READY at the next position, and puts it in order.
    ///
    /// From READY on the message is sent, whatever the order is: a second attempt would find that
    /// the slot is not WRITING, and the caller would be told that a message was lost that a
    /// receiver gets.
    pub(super) fn put(
        self,
        number: usize,
        slot: Slot<'_>,
        me: ParticipantId,
        priority: u32,
    ) -> Put {
        let position = load(self.tail) % POSITIONS;
        slot.set_position(position);
        if slot.exchange(State::Writing(me), State::Ready(position)).is_err() {
            return Put::Lost;
        }
        // CRASH: dying from here on leaves the lock inconsistent: the next holder builds the order
        // again, with this message.
        crash_point!("queue: ready, not in order");
        store(self.tail, position + 1);
        match self.append(number as u64, priority).and_then(|()| self.count_one_more()) {
            Ok(()) => Put::InOrder,
            Err(Garbage) => Put::InNoOrder,
        }
    }

    fn count_one_more(self) -> Result<(), Garbage> {
        let waiting = load(self.waiting);
        // The slot of this message is not among those that were counted.
        if waiting >= self.next.len() as u64 {
            return Err(Garbage);
        }
        store(self.waiting, waiting + 1);
        Ok(())
    }

    /// Puts a slot behind all others with its priority.
    fn append(self, slot: u64, priority: u32) -> Result<(), Garbage> {
        let len = self.len()?;
        let (mut low, mut high) = (0, len);
        // Most messages have the highest priority that waits.
        if let Some(last) = len.checked_sub(1)
            && load(&self.rank(last)?[PRIORITY]) <= u64::from(priority)
        {
            low = last;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            let rank = self.rank(middle)?;
            let found = load(&rank[PRIORITY]);
            if found == u64::from(priority) {
                let ends = load(&rank[ENDS]);
                store(self.next(ends & u64::from(u32::MAX))?, slot);
                store(&rank[ENDS], ends >> 32 << 32 | slot);
                return Ok(());
            }
            if found < u64::from(priority) { low = middle + 1 } else { high = middle }
        }
        for number in (low..len).rev() {
            let (from, to) = (self.rank(number)?, self.rank(number + 1)?);
            (0..RANK_WORDS).for_each(|word| store(&to[word], load(&from[word])));
        }
        let rank = self.rank(low)?;
        store(&rank[PRIORITY], priority.into());
        store(&rank[ENDS], slot << 32 | slot);
        store(self.count, len as u64 + 1);
        Ok(())
    }

    /// Takes the first message of the highest priority for `me`. Returns its slot, if there is one.
    pub(super) fn take(
        self,
        slots: Slots<'_>,
        me: ParticipantId,
    ) -> Result<Option<usize>, Garbage> {
        let Some(number) = self.remove_first()? else { return Ok(None) };
        // CRASH: as in `put`.
        crash_point!("queue: out of order, not taken");
        let slot = slots.get(number).ok_or(Garbage)?;
        match slot.state() {
            Some(ready @ State::Ready(_)) if slot.exchange(ready, State::Taken(me)).is_ok() => {
                Ok(Some(number))
            }
            _ => Err(Garbage),
        }
    }

    /// Removes the first slot of the last rank.
    fn remove_first(self) -> Result<Option<usize>, Garbage> {
        let len = self.len()?;
        let Some(last) = len.checked_sub(1) else { return Ok(None) };
        let rank = self.rank(last)?;
        let ends = load(&rank[ENDS]);
        let (first, end) = (ends >> 32, ends & u64::from(u32::MAX));
        if first == end {
            store(self.count, last as u64);
        } else {
            store(&rank[ENDS], load(self.next(first)?) << 32 | end);
        }
        store(self.waiting, load(self.waiting).saturating_sub(1));
        Ok(Some(first as usize))
    }

    /// Builds the order again from the slots: from messages that are READY, and those that are
    /// RETURNED, which become READY at their old places.
    #[cold]
    pub(super) fn rebuild(self, slots: Slots<'_>) -> Result<(), Error> {
        let mut found = Vec::new();
        found.try_reserve_exact(slots.count()).map_err(|_| {
            let why = format!("there is no memory to put {} messages in order", slots.count());
            Error::new(ErrorKind::OutOfSpace, why)
        })?;
        store(self.waiting, 0);
        store(self.count, 0);
        let mut next_position = load(self.tail) % POSITIONS;
        for (number, slot) in slots.all() {
            let position = match slot.state() {
                Some(State::Ready(position)) => position,
                Some(returned @ State::Returned(position))
                    if slot.exchange(returned, State::Ready(position)).is_ok() =>
                {
                    position
                }
                _ => continue,
            };
            next_position = next_position.max(position + 1);
            found.push((slot.info().priority, position, number as u64));
        }
        store(self.tail, next_position);
        // CRASH: dying here leaves the lock inconsistent again.
        crash_point!("queue: order half built");
        found.sort_unstable();
        for (priority, _, slot) in &found {
            // It cannot fail: as many ranks fit as there are slots.
            let _ = self.append(*slot, *priority);
        }
        store(self.waiting, found.len() as u64);
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::memory::HeapMemory;

    const SLOTS: usize = 8;
    const ME: ParticipantId = ParticipantId::new(3, 1);

    fn with_ranks(check: impl FnOnce(Ranks<'_>, Slots<'_>)) {
        let memory = HeapMemory::zeroed(8 * 256);
        let words = memory.view().words(0, 256).unwrap();
        let (control, words) = words.split_at(8);
        let (ranks, words) = words.split_at(RANK_WORDS * SLOTS);
        let (next, words) = words.split_at(SLOTS);
        let [tail, waiting, count, ..] = control else { unreachable!() };
        check(Ranks { tail, waiting, count, ranks, next }, Slots::new(words, 8, SLOTS, false));
    }

    fn put(ranks: Ranks<'_>, slots: Slots<'_>, number: usize, priority: u32) {
        let slot = slots.get(number).unwrap();
        slot.exchange(State::Free, State::Writing(ME)).unwrap();
        slot.begin(ME, priority, 1);
        assert_eq!(ranks.put(number, slot, ME, priority), Put::InOrder);
    }

    fn take_all(ranks: Ranks<'_>, slots: Slots<'_>) -> Vec<usize> {
        std::iter::from_fn(|| ranks.take(slots, ME).unwrap()).collect()
    }

    #[test]
    fn the_highest_priority_comes_first_and_within_one_the_oldest() {
        with_ranks(|ranks, slots| {
            for (number, priority) in [5, 0, 9, 5, u32::MAX, 0, 5, 7].into_iter().enumerate() {
                put(ranks, slots, number, priority);
            }
            assert_eq!(take_all(ranks, slots), [4, 2, 7, 0, 3, 6, 1, 5]);
            assert!(!ranks.is_any_waiting());
        });
    }

    #[test]
    fn an_order_that_is_built_again_is_the_same_with_returned_messages_at_their_old_places() {
        with_ranks(|ranks, slots| {
            for (number, priority) in [5, 0, 9, 5, 3, 0, 5, 7].into_iter().enumerate() {
                put(ranks, slots, number, priority);
            }
            let taken = [(); 3].map(|()| ranks.take(slots, ME).unwrap().unwrap());
            assert_eq!(taken, [2, 7, 0]);
            let slot = slots.get(0).unwrap();
            slot.exchange(State::Taken(ME), State::Returned(slot.position())).unwrap();
            store(ranks.count, 77);
            assert_eq!(ranks.take(slots, ME), Err(Garbage));
            store(ranks.tail, 2);
            ranks.rebuild(slots).unwrap();
            assert_eq!(load(ranks.tail), 7, "behind the last of those that are ready");
            assert_eq!(take_all(ranks, slots), [0, 3, 6, 4, 1, 5]);
        });
    }
}
