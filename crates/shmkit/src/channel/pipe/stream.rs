//! The bytes of a pipe: a ring, and the two positions between which it is filled.
//!
//! ```text
//! tail, head   63                     10 9       2     1        0
//!              +------------------------+---------+--------+--------+
//!              |        position        |  epoch  | ASLEEP | CLOSED |
//!              +------------------------+---------+--------+--------+
//!
//! ring         |  free  | head ..... unread ..... tail |  free  |     position modulo capacity
//! ```
//!
//! Byte `p` of the stream is byte `p` modulo the capacity of the ring. Positions count modulo 2^54.
//! At every moment `head <= tail <= head + capacity`; other values are `Corrupt`.
//!
//! | word | moves its position | changes its epoch | sleeps on it |
//! |---|---|---|---|
//! | `tail` | the writer that has the turn | each writer that leaves | readers |
//! | `head` | the reader whose exchange succeeds | each reader that leaves | that writer |
//!
//! # Why each byte is read once, and none is torn
//!
//! | step | writer, in its turn | reader |
//! |---|---|---|
//! | 1 | loads `head`: there is room behind `tail` | loads `head`, then `tail`, or knows one |
//! | 2 | Release fence | |
//! | 3 | copies its bytes behind `tail` | copies the bytes behind `head` |
//! | 4 | | Acquire fence |
//! | 5 | exchanges `tail` for a later one | exchanges the `head` of step 1 for a later one |
//!
//! - *What a reader copies was written:* its `tail` is from step 5 of a writer, which releases the
//!   bytes.
//! - *It was not overwritten meanwhile:* suppose that a reader copied a byte of a later round of
//!   the ring. Its writer had seen in step 1 that `head` was past the byte. By the two fences, the
//!   reader's exchange comes after that move of `head`. It expects an older position, and fails.
//!   The reader drops its copy and tries again. Positions do not come back within 2^54 bytes.
//! - *Each byte goes to one reader:* `head` passes it in one exchange.
//!
//! So a reader needs no lock. A reader that is stopped or killed before step 5 has taken nothing,
//! and delays no other.
//!
//! A word of 8 bytes can hold bytes before and behind those that a writer writes: unread ones. Only
//! the writer that has the turn stores to the ring, so it stores the word with these bytes as they
//! were. A reader loads whole words, and finds its bytes in the old word and in the new one.
//!
//! # Why no wake is lost
//!
//! As in `wait::word`: each move, and each writer or reader that leaves, changes the word that the
//! other side sleeps on. A move of `head` after which less than [`WHOLE`] bytes are free,
//! or half of a smaller capacity, wakes nobody, and leaves ASLEEP. So the writer that has the turn,
//! the only one that sleeps there, is not woken for each small read. If it wants less, it may sleep
//! beside room, until its slow check at the latest, or until readers have taken more. If it wants
//! more, it sleeps again, and each later move wakes it.
//!
//! # If a process dies
//!
//! Bytes that a writer copied before it moved `tail` are not in the stream. The next writer
//! overwrites them.
//!
//! A writer that is stopped between two steps, and loses its lock, is replaced in the turn while it
//! lives. It asks whether it has the turn before step 3 and before step 5. If it loses the turn
//! during step 3, it can store over bytes of the next writer. Nothing prevents that: only a process
//! that closes the descriptor of its lock comes here.

use core::time::Duration;

use crate::memory::atomic::{AtomicU64, Ordering, fence};
use crate::memory::copy::{copy_in, copy_part};
use crate::wait::{ASLEEP, CLOSED, SleepTicket, WaitWord, Wake};

/// Writes of up to this many bytes enter the stream as a whole.
pub(super) const WHOLE: u64 = 4_096;
/// The most bytes that are copied before the position is moved: so the other side can begin.
const PIECE: usize = 16 << 10;
/// How long a reader sleeps that found bytes, and lost them to other readers each time.
const OVERTAKEN_FOR: Duration = Duration::from_millis(1);
/// How many times an exchange is attempted while other processes change the word.
const TRIES: u32 = 1_024;
/// The bytes of a word.
const WORD: usize = size_of::<u64>();

const EPOCH_SHIFT: u32 = 2;
const EPOCH_MASK: u64 = 0xff << EPOCH_SHIFT;
const POSITION_SHIFT: u32 = 10;
/// The positions of a stream, and the distances between them, are below this.
const POSITION_MASK: u64 = u64::MAX >> POSITION_SHIFT;

/// The words hold what no participant writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Garbage;

/// The value of `tail` or `head`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(pub(super) u64);

impl Place {
    #[inline(always)]
    pub(super) fn position(self) -> u64 {
        self.0 >> POSITION_SHIFT
    }

    /// What changes when a writer or reader leaves, or the object is retired.
    #[inline(always)]
    pub(super) fn news(self) -> u64 {
        self.0 & (EPOCH_MASK | CLOSED)
    }

    #[inline(always)]
    pub(super) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    /// How many bytes `later` is behind this place.
    #[inline(always)]
    pub(super) fn bytes_until(self, later: Self) -> u64 {
        later.position().wrapping_sub(self.position()) & POSITION_MASK
    }

    /// The place so many bytes later.
    #[inline(always)]
    fn moved(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes << POSITION_SHIFT))
    }

    /// The same place in the next epoch.
    fn in_next_epoch(self) -> Self {
        let epoch = self.0.wrapping_add(1 << EPOCH_SHIFT) & EPOCH_MASK;
        Self(self.0 & !EPOCH_MASK | epoch)
    }

    /// The same place without a mark of sleepers.
    #[inline(always)]
    fn awake(self) -> Self {
        Self(self.0 & !ASLEEP)
    }
}

/// The words of a stream of bytes.
#[derive(Clone, Copy)]
pub(super) struct Stream<'a> {
    tail: &'a AtomicU64,
    head: &'a AtomicU64,
    /// INVARIANT: their number is a power of two.
    ring: &'a [AtomicU64],
}

impl<'a> Stream<'a> {
    /// The stream of these words. None if the ring has no size that a ring can have.
    #[inline(always)]
    pub(super) fn new(
        tail: &'a AtomicU64,
        head: &'a AtomicU64,
        ring: &'a [AtomicU64],
    ) -> Option<Self> {
        ring.len().is_power_of_two().then_some(Self { tail, head, ring })
    }

    #[inline(always)]
    fn capacity(self) -> u64 {
        (self.ring.len() * WORD) as u64
    }

    /// The most bytes that a write needs at once.
    #[inline(always)]
    pub(super) fn whole(self) -> u64 {
        WHOLE.min(self.capacity())
    }

    /// How many free bytes wake a sleeping writer.
    #[inline(always)]
    pub(super) fn waking_room(self) -> u64 {
        WHOLE.min(self.capacity() / 2)
    }

    #[inline(always)]
    pub(super) fn tail(self) -> Place {
        // ORDERING: Acquire; pairs with the exchange in `publish`: the bytes before it are there.
        Place(self.tail.load(Ordering::Acquire))
    }

    #[inline(always)]
    pub(super) fn head(self) -> Place {
        // ORDERING: Acquire; pairs with the exchange in `release`: what was read before it may be
        // overwritten, and `tail` is not older.
        Place(self.head.load(Ordering::Acquire))
    }

    /// What a reader sleeps on that found `tail`, and took no bytes before it.
    pub(super) fn sleep_for_bytes(self, tail: Place) -> SleepTicket<'a> {
        let ticket = SleepTicket::new(WaitWord::new(self.tail), tail.0);
        match self.head().position() == tail.position() {
            true => ticket,
            // There are bytes before it, so perhaps nobody will move it.
            false => ticket.for_at_most(OVERTAKEN_FOR),
        }
    }

    /// What the writer that has the turn sleeps on if it found `head`, and too little room.
    pub(super) fn sleep_for_room(self, head: Place) -> SleepTicket<'a> {
        SleepTicket::new(WaitWord::new(self.head), head.0)
    }

    /// Returns how many bytes are free at this moment.
    pub(super) fn free(self) -> Result<u64, Garbage> {
        Ok(self.capacity() - self.unread()?)
    }

    /// Returns how many bytes are unread at this moment.
    pub(super) fn unread(self) -> Result<u64, Garbage> {
        let mut head = self.head();
        for _ in 0..TRIES {
            let unread = head.bytes_until(self.tail());
            if unread <= self.capacity() {
                return Ok(unread);
            }
            let now = self.head();
            if now.position() == head.position() {
                return Err(Garbage);
            }
            head = now;
        }
        Err(Garbage)
    }

    /// Takes the bytes that are there into the beginning of `into`. Returns how many; 0: there were
    /// none when `known`, which is a `tail`, was loaded.
    #[inline(always)]
    pub(super) fn take(self, known: &mut Place, into: &mut [u8]) -> Result<usize, Garbage> {
        let (mut count, mut end) = self.take_piece(known, into, None)?;
        while count > 0 && count < into.len() {
            // What another reader takes in between, or garbage, ends it.
            match self.take_piece(known, &mut into[count..], Some(end)) {
                Ok((more, next)) if more > 0 => (count, end) = (count + more, next),
                _ => break,
            }
        }
        Ok(count)
    }

    /// Takes a piece, at `start` if that is given. Returns how many bytes it has, and the position
    /// of its end.
    #[inline(always)]
    fn take_piece(
        self,
        known: &mut Place,
        into: &mut [u8],
        start: Option<u64>,
    ) -> Result<(usize, u64), Garbage> {
        for _ in 0..TRIES {
            let head = self.head();
            if start.is_some_and(|start| start != head.position()) {
                return Ok((0, 0));
            }
            let mut unread = head.bytes_until(*known);
            if unread == 0 || unread > self.capacity() {
                *known = self.tail();
                unread = head.bytes_until(*known);
                if unread == 0 {
                    return Ok((0, 0));
                }
                if unread > self.capacity() {
                    // Another reader has moved `head` since it was loaded, or this is garbage.
                    if self.head().position() == head.position() {
                        return Err(Garbage);
                    }
                    continue;
                }
            }
            let count = into.len().min(PIECE).min(unread as usize);
            self.copy_out(head, &mut into[..count]);
            crash_point!("pipe: bytes read, not taken");
            if self.release(head, count as u64, unread) {
                return Ok((count, head.moved(count as u64).position()));
            }
        }
        // Other readers were faster each time: `sleep_for_bytes` limits the sleep that may follow.
        *known = self.tail();
        Ok((0, 0))
    }

    /// Copies the bytes behind `head`, of which there are as many.
    #[inline(always)]
    fn copy_out(self, head: Place, into: &mut [u8]) {
        let start = self.offset(head);
        let (front, back) = into.split_at_mut(into.len().min(self.ring.len() * WORD - start));
        copy_part(self.ring, start, front);
        copy_part(self.ring, 0, back);
        // ORDERING: Acquire; pairs with the fence in `put`: if a byte was overwritten, the exchange
        // that follows finds that `head` was moved.
        fence(Ordering::Acquire);
    }

    /// Moves `head`, which was at a place, if no other reader has. `unread` bytes were behind it,
    /// or more.
    #[inline(always)]
    fn release(self, head: Place, bytes: u64, unread: u64) -> bool {
        let wakes = self.capacity() - (unread - bytes) >= self.waking_room();
        let mut found = head;
        for _ in 0..TRIES {
            if found.position() != head.position() {
                return false;
            }
            let (next, wake) = match found.moved(bytes) {
                next if wakes => (next.awake(), Wake::All),
                next => (next, Wake::Moved),
            };
            let word = WaitWord::new(self.head);
            // CRASH: dying after this has taken the bytes, and dying before this has not.
            // ORDERING: AcqRel; pairs with the Acquire in `head`: the bytes were copied before a
            // writer overwrites them.
            match word.change(found.0, next.0, Ordering::AcqRel, wake) {
                Ok(()) => return true,
                // Often only its marks have changed.
                Err(now) => found = Place(now),
            }
        }
        false
    }

    /// Returns how many bytes are free behind `tail`, for the writer that has the turn: `wanted`,
    /// or else as many as there are when `known`, which is a `head`, is loaded.
    #[inline(always)]
    pub(super) fn room(self, tail: Place, known: &mut Place, wanted: u64) -> Result<u64, Garbage> {
        let room = |head: Place| self.capacity().checked_sub(head.bytes_until(tail));
        match room(*known) {
            Some(room) if room >= wanted => Ok(room),
            _ => {
                *known = self.head();
                room(*known).ok_or(Garbage)
            }
        }
    }

    /// Copies a piece of `bytes` behind `tail`, for the writer that has the turn, which found so
    /// much room. Returns how many they are.
    #[inline(always)]
    pub(super) fn put(self, tail: Place, bytes: &[u8], room: u64) -> usize {
        let most = usize::try_from(room).unwrap_or(usize::MAX).min(PIECE);
        let bytes = &bytes[..bytes.len().min(most)];
        // ORDERING: Release; pairs with the fence in `copy_out`: a reader that copies one of these
        // bytes instead of an older one finds that `head` was moved.
        fence(Ordering::Release);
        let start = self.offset(tail);
        let (front, back) = bytes.split_at(bytes.len().min(self.ring.len() * WORD - start));
        store(self.ring, start, front);
        crash_point!("pipe: bytes half written");
        store(self.ring, 0, back);
        bytes.len()
    }

    /// Moves `tail` behind bytes that were put: from here on they are in the stream.
    #[inline(always)]
    pub(super) fn publish(self, tail: Place, bytes: usize) -> Result<(), Garbage> {
        let mut found = tail;
        for _ in 0..TRIES {
            if found.position() != tail.position() {
                return Err(Garbage);
            }
            let next = found.moved(bytes as u64).awake();
            let word = WaitWord::new(self.tail);
            // CRASH: dying before this leaves nothing in the stream, and dying after this all of
            // the piece.
            // ORDERING: AcqRel; pairs with the Acquire in `tail`: a reader sees the bytes.
            match word.change(found.0, next.0, Ordering::AcqRel, Wake::All) {
                Ok(()) => return Ok(()),
                Err(now) => found = Place(now),
            }
        }
        Err(Garbage)
    }

    /// Tells readers that a writer has left.
    pub(super) fn tell_readers(self) {
        Self::tell(self.tail);
    }

    /// Tells the writer that has the turn that a reader has left.
    pub(super) fn tell_writers(self) {
        Self::tell(self.head);
    }

    #[cold]
    fn tell(word: &AtomicU64) {
        // ORDERING: Relaxed; the exchange decides.
        let mut found = Place(word.load(Ordering::Relaxed));
        for _ in 0..TRIES {
            let next = found.in_next_epoch().awake();
            // ORDERING: AcqRel; pairs with the Acquire in `tail` and `head`: the slot was left
            // before.
            match WaitWord::new(word).change(found.0, next.0, Ordering::AcqRel, Wake::All) {
                Ok(()) => return,
                Err(now) => found = Place(now),
            }
        }
        // The word changed so often that its sleepers have looked, or look after a slice.
    }

    #[inline(always)]
    fn offset(self, place: Place) -> usize {
        place.position() as usize & (self.ring.len() * WORD - 1)
    }
}

/// Stores bytes from byte `start` of the ring on, and leaves all others as they are. No other
/// process stores to the ring.
#[inline(always)]
fn store(ring: &[AtomicU64], start: usize, bytes: &[u8]) {
    let (mut at, mut bytes) = (start / WORD, bytes);
    let skipped = start % WORD;
    if skipped > 0 && !bytes.is_empty() {
        let (front, rest) = bytes.split_at(bytes.len().min(WORD - skipped));
        store_part(&ring[at], skipped, front);
        (at, bytes) = (at + 1, rest);
    }
    let (whole, rest) = bytes.split_at(bytes.len() / WORD * WORD);
    copy_in(whole, &ring[at..]);
    if !rest.is_empty() {
        store_part(&ring[at + whole.len() / WORD], 0, rest);
    }
}

/// Stores a part of a word.
#[inline(always)]
fn store_part(word: &AtomicU64, skipped: usize, bytes: &[u8]) {
    // ORDERING: Relaxed; the turn orders the stores of writers, and `tail` the loads of readers.
    let mut all = word.load(Ordering::Relaxed).to_le_bytes();
    all[skipped..][..bytes.len()].copy_from_slice(bytes);
    // ORDERING: Relaxed; as above.
    word.store(u64::from_le_bytes(all), Ordering::Relaxed);
}

#[cfg(all(test, loom))]
mod models;

#[cfg(all(test, not(loom)))]
mod tests;
