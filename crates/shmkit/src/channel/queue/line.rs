//! The line of a queue without priorities: a ring of entries, each of which names a slot.
//!
//! ```text
//! tail, head   a position: 0, 1, 2, ...
//! entry        63        21    20    19     0
//!              |   lap    |  FULL  |  slot  |      position p is in entry p mod n, in lap p / n
//! ```
//!
//! | entry of position p | meaning | who may leave it, and how |
//! |---|---|---|
//! | lap of p, not FULL | nothing was put at p | any sender, to FULL with its slot |
//! | lap of p, FULL | this slot is at p | once it is not READY(p) any process, to the next lap |
//!
//! # Why no message is lost, and none is received twice
//!
//! The word of a slot says whose its message is; the line only says in which order to look.
//!
//! | step | by | what |
//! |---|---|---|
//! | S1 | a sender, whose slot is WRITING | exchanges WRITING for READY(t), t being the tail |
//! | S2 | the same | exchanges the entry of t for FULL with its slot |
//! | S3 | a process that finds the entry of t not vacant | exchanges the tail t for t + 1 |
//! | R1 | a receiver that finds the entry of the head h FULL | exchanges READY(h) for TAKEN |
//! | R2 | a process that finds that slot not READY(h) | exchanges that entry for the next lap |
//! | R3 | a process that finds the entry of h in a later lap | exchanges the head h for h + 1 |
//!
//! If S2 fails, another sender was faster: S1 again, from READY(t), with a later t. No step waits
//! for another process: the next one that comes does S3, R2 and R3 for a process that died or is
//! stopped. A message is received by R1, and R1 happens once for each READY(h).
//!
//! **An entry that is FULL at p names a slot that was READY(p) at S2, and stays FULL at least until
//! the slot is not READY(p) any more.** (S1 comes before S2, and R2 looks first. A sender that lost
//! its liveness lock may find at S2 that its message was made RETURNED; then its entry is passed.)
//! So a slot that is READY(p) while the entry of p does not name it is in no line yet. If its
//! sender is dead, it never will be: any process makes the message RETURNED, and receivers find it
//! by a scan. If its sender lives, S2 follows.
//!
//! # Order
//!
//! The position of a message is its place in the order. A sender that has returned from one message
//! has moved the tail beyond it, so its next message, and each that another process begins to send
//! later, has a later position.

use super::slots::{POSITIONS, Slot, Slots, State};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::ParticipantId;

/// The most slots that an entry can name.
pub(super) const MAX_SLOTS: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 20;
const FULL: u64 = 1 << SLOT_BITS;
const LAP_SHIFT: u32 = SLOT_BITS + 1;
const LAPS: u64 = 1 << (64 - LAP_SHIFT);

/// How many entries a queue of so many slots has: a power of two, twice as many at least, so that
/// entries whose messages were already given back do not fill it.
pub(super) const fn entries(slots: u64) -> u64 {
    let entries = (2 * slots).next_power_of_two();
    if entries < 8 { 8 } else { entries }
}

/// How often a step is tried again because other processes were faster.
pub(super) const TRIES: u32 = 1 << 12;

/// Why a message was not put in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotInLine {
    /// Entries of messages that are gone fill the ring: receivers must pass them first.
    Full,
    /// The slot is not the sender's any more: the sender lost its liveness lock.
    Lost,
    /// Other processes were faster each time.
    Busy,
    /// The words have values that no participant writes.
    Corrupt,
}

/// What the entry of a position says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// Nothing was put there yet.
    Vacant,
    /// The message in this slot is there.
    Holds(usize),
    /// It was passed.
    Passed,
    /// The message of the lap before is still there.
    Before(usize),
    /// No process writes this, unless the position is an old one.
    Garbage,
}

/// The line.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    tail: &'a AtomicU64,
    head: &'a AtomicU64,
    /// INVARIANT: a power of two of them.
    entries: &'a [AtomicU64],
}

impl<'a> Line<'a> {
    /// A line with these entries, a power of two of them.
    #[inline(always)]
    pub(super) fn new(tail: &'a AtomicU64, head: &'a AtomicU64, entries: &'a [AtomicU64]) -> Self {
        debug_assert!(entries.len().is_power_of_two());
        // INVARIANT: as the caller promises.
        Self { tail, head, entries }
    }

    /// The entry of a position, and the value that it has while it is vacant.
    #[inline(always)]
    fn entry(self, position: u64) -> (&'a AtomicU64, u64) {
        let lap = (position >> self.entries.len().trailing_zeros()) % LAPS;
        let number = position as usize & (self.entries.len() - 1);
        (&self.entries[number], lap << LAP_SHIFT)
    }

    /// Returns what `word` says, which was in the entry of a position.
    #[inline(always)]
    fn read(word: u64, vacant: u64) -> Entry {
        let slot = (word % FULL) as usize;
        let is_full = word & FULL != 0;
        // Laps ahead, modulo their number.
        match (word.wrapping_sub(vacant) >> LAP_SHIFT, is_full) {
            (0, true) => Entry::Holds(slot),
            (0, false) if slot == 0 => Entry::Vacant,
            (ahead, true) if ahead == LAPS - 1 => Entry::Before(slot),
            (ahead, _) if ahead > 0 && ahead < LAPS / 2 => Entry::Passed,
            _ => Entry::Garbage,
        }
    }

    /// The position that was the tail, as a start for the search of a free slot.
    #[inline(always)]
    pub(super) fn tail(self) -> u64 {
        // ORDERING: Relaxed; a hint.
        self.tail.load(Ordering::Relaxed)
    }

    /// Returns the next vacant position.
    #[inline(always)]
    fn vacant(self, slots: Slots<'_>) -> Result<u64, NotInLine> {
        for _ in 0..TRIES {
            // ORDERING: Acquire; pairs with the exchange of the tail: the entries before are seen.
            let tail = self.tail.load(Ordering::Acquire);
            let (entry, vacant) = self.entry(tail);
            // ORDERING: Acquire; pairs with the exchanges of the entry.
            match Self::read(entry.load(Ordering::Acquire), vacant) {
                Entry::Vacant if tail < POSITIONS => return Ok(tail),
                Entry::Holds(_) | Entry::Passed => self.advance(self.tail, tail),
                Entry::Before(_) if !self.pass_gone(slots) => return Err(NotInLine::Full),
                Entry::Before(_) => {}
                // Or `tail` is old.
                _ if self.tail() == tail => return Err(NotInLine::Corrupt),
                _ => {}
            }
        }
        Err(NotInLine::Busy)
    }

    /// Puts a message in line: that in slot `number`, which `me` has written. Returns what its
    /// state is then, if that failed.
    #[inline(always)]
    pub(super) fn put(
        self,
        slots: Slots<'_>,
        number: usize,
        slot: Slot<'_>,
        me: ParticipantId,
    ) -> Result<(), (NotInLine, State)> {
        let mut state = State::Writing(me);
        for _ in 0..TRIES {
            let tail = self.vacant(slots).map_err(|why| (why, state))?;
            slot.set_position(tail);
            let ready = State::Ready(tail);
            slot.exchange(state, ready).map_err(|_| (NotInLine::Lost, state))?;
            state = ready;
            // CRASH: dying here leaves a message in no line; a sweep makes it RETURNED.
            crash_point!("queue: ready, not in line");
            let (entry, vacant) = self.entry(tail);
            let full = vacant | FULL | number as u64;
            // ORDERING: SeqCst; as Release it pairs with the Acquire in `first`: the receiver sees
            // READY. Release would be too weak: see `protocol`.
            let (success, failure) = (Ordering::SeqCst, Ordering::Relaxed);
            if entry.compare_exchange(vacant, full, success, failure).is_ok() {
                // CRASH: dying here leaves the tail to the next process that looks at it.
                crash_point!("queue: in line, tail not moved");
                self.advance(self.tail, tail);
                return Ok(());
            }
        }
        Err((NotInLine::Busy, state))
    }

    /// Returns the first message in line, if there is one: its position, and its slot.
    #[inline(always)]
    pub(super) fn first(self) -> Result<Option<(u64, usize)>, NotInLine> {
        for _ in 0..TRIES {
            // ORDERING: Acquire; pairs with the exchange of the head.
            let head = self.head.load(Ordering::Acquire);
            let (entry, vacant) = self.entry(head);
            // ORDERING: Acquire; pairs with the exchange in `put`.
            match Self::read(entry.load(Ordering::Acquire), vacant) {
                Entry::Vacant => return Ok(None),
                Entry::Holds(slot) => return Ok(Some((head, slot))),
                Entry::Passed => self.advance(self.head, head),
                // ORDERING: Relaxed; only whether it changed.
                _ if self.head.load(Ordering::Relaxed) == head => return Err(NotInLine::Corrupt),
                _ => {}
            }
        }
        Err(NotInLine::Busy)
    }

    /// Passes the first message, whose slot is not READY at its position any more.
    #[inline(always)]
    pub(super) fn pass(self, position: u64, slot: usize) {
        let (entry, vacant) = self.entry(position);
        let next = vacant.wrapping_add(1 << LAP_SHIFT);
        // CRASH: dying before or after this leaves it, and the head, to the next receiver.
        // ORDERING: AcqRel; in order with the exchanges of its next lap.
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        let _ = entry.compare_exchange(vacant | FULL | slot as u64, next, success, failure);
        crash_point!("queue: passed, head not moved");
        self.advance(self.head, position);
    }

    /// Passes the messages at the head that are gone. Returns whether there was one.
    #[cold]
    fn pass_gone(self, slots: Slots<'_>) -> bool {
        let mut passed = false;
        for _ in 0..self.entries.len() {
            let Ok(Some((position, number))) = self.first() else { break };
            let is_ready = State::Ready(position).to_bits();
            if slots.get(number).is_some_and(|slot| slot.word() == is_ready) {
                break;
            }
            self.pass(position, number);
            passed = true;
        }
        passed
    }

    /// Returns the slot of the message that is so many behind a position, if there is one.
    #[inline(always)]
    pub(super) fn ahead(self, position: u64, by: u64) -> Option<usize> {
        let (entry, vacant) = self.entry(position.wrapping_add(by));
        // ORDERING: Relaxed; a hint.
        match Self::read(entry.load(Ordering::Relaxed), vacant) {
            Entry::Holds(slot) => Some(slot),
            _ => None,
        }
    }

    /// Returns whether the entry of a position names this slot.
    pub(super) fn has(self, position: u64, slot: usize) -> bool {
        let (entry, vacant) = self.entry(position);
        // ORDERING: Acquire; pairs with the exchange in `put`.
        Self::read(entry.load(Ordering::Acquire), vacant) == Entry::Holds(slot)
    }

    /// Moves the tail or the head from a position to the next.
    #[inline(always)]
    fn advance(self, word: &AtomicU64, position: u64) {
        // ORDERING: Release; pairs with the Acquire in `vacant` and `first`. If it fails, another
        // process has moved it.
        let (success, failure) = (Ordering::Release, Ordering::Relaxed);
        let _ = word.compare_exchange(position, position.wrapping_add(1), success, failure);
    }
}
