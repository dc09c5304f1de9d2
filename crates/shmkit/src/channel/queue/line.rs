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
//! | 0 in lap 0; FULL in the lap before p's | nothing was put at p yet | see S2 |
//! | FULL in the lap of p | the message in this slot was put at p | the same, for position p + n |
//!
//! # Why no message is lost, and none is received twice
//!
//! The word of a slot says whose its message is; the line only says in which order to look. A
//! message is *gone* from position p once its slot is not READY(p) any more: it never is again.
//!
//! | step | by | what |
//! |---|---|---|
//! | S1 | a sender, whose slot is WRITING | exchanges WRITING for READY(t), t the next position |
//! | S2 | the same | exchanges the entry of t for FULL with its slot |
//! | R1 | a receiver that finds the entry of h FULL | exchanges READY(h) for TAKEN |
//!
//! S2 follows only if the message that was put at t - n is gone: else the line is full. If S2
//! fails, another sender was faster: S1 again, from READY(t), with a later t. If R1 fails, or the
//! entry is FULL in a later lap, the message of h is gone, and h + 1 is next. No step waits for
//! another process. A message is received by R1, and R1 happens once for each READY(h).
//!
//! **The next position** is the first one where nothing was put yet. A sender looks for it from a
//! position on before which all were put. So all positions before t were put at S2: each is put
//! once, one after the other. **The first message** is that of the first position that is not gone.
//! A receiver looks for it from a position on before which all are gone.
//!
//! Each participant remembers where its last search ended: what was put, and what is gone, stays
//! so. The words `tail` and `head` say how far the others came, and may lag behind. A participant
//! moves them if it had to look further than they say, and else only at every few positions: so a
//! message costs a single sender, and a single receiver, no access to a word that the other one
//! writes, except for its entry and its slot.
//!
//! **An entry that is FULL at p names a slot that was READY(p) at S2, and stays FULL at p at least
//! until the message is gone.** (S1 comes before S2, and S2 of the next lap looks first. A sender
//! that lost its liveness lock may find at S2 that its message was made RETURNED; then it is gone.)
//! So a slot that is READY(p) while the entry of p does not name it is in no line yet. If its
//! sender is dead, it never will be: any process makes the message RETURNED, and receivers find it
//! by a scan. If its sender lives, S2 follows.
//!
//! A process that sees an entry FULL at p sees READY(p), or what came after: S2 releases S1, and
//! the load of the entry acquires it. So it does not take a message for gone that is not.
//!
//! # Order
//!
//! The position of a message is its place in the order. When a sender returns from a message, its
//! entry is FULL. So its next message, and each that another process begins to send later, has a
//! later position.

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

/// The participants move `tail` and `head` at every position that is a multiple of this, at least.
const MAX_STEP: usize = 8;

/// Why a message was not put in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotInLine {
    /// The message of the lap before is still READY: a receiver must take it first.
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
    /// Nothing was put there yet, nor in the lap before.
    Vacant,
    /// The message in this slot was put there.
    Holds(usize),
    /// A message of a later lap was put there: that of this position is gone.
    Passed,
    /// The message in this slot was put there in the lap before.
    Before(usize),
    /// No process writes this.
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

    /// Where a sender looks for the next position, that came as far as `sent` says: nothing was put
    /// there, or later.
    #[inline(always)]
    pub(super) fn tail(self, sent: &AtomicU64) -> u64 {
        Self::later(self.tail, sent)
    }

    /// Where a receiver looks for the first message, that came as far as `received` says: those
    /// before are gone.
    #[inline(always)]
    pub(super) fn head(self, received: &AtomicU64) -> u64 {
        Self::later(self.head, received)
    }

    #[inline(always)]
    fn later(shared: &AtomicU64, own: &AtomicU64) -> u64 {
        // ORDERING: Acquire; pairs with the Release in `came_to`: the entries before are seen.
        let (shared, own) = (shared.load(Ordering::Acquire), own.load(Ordering::Acquire));
        shared.max(own)
    }

    /// Remembers that a search, which began at a position, ended before `to`.
    #[inline(always)]
    fn came_to(self, shared: &AtomicU64, own: &AtomicU64, began: u64, to: u64) {
        // ORDERING: Release; pairs with the Acquire in `later`, of a thread with the same handle.
        own.store(to, Ordering::Release);
        let step = (self.entries.len() / (2 * MAX_STEP)).clamp(1, MAX_STEP) as u64;
        // Others came further than the shared word said; or it is time.
        if to != began.wrapping_add(1) || to & (step - 1) == 0 {
            Self::advance(shared, to);
        }
    }

    /// Moves the tail or the head forwards.
    #[inline(always)]
    fn advance(word: &AtomicU64, to: u64) {
        // ORDERING: Relaxed; the exchange decides.
        let seen = word.load(Ordering::Relaxed);
        if seen < to {
            // ORDERING: Release; pairs with the Acquire in `later`. If it fails, another process
            // has moved it.
            let (success, failure) = (Ordering::Release, Ordering::Relaxed);
            let _ = word.compare_exchange(seen, to, success, failure);
        }
    }

    /// About how many messages are in line, as far as a sender knows that came as far as `sent`
    /// says.
    #[inline(always)]
    pub(super) fn length(self, sent: &AtomicU64) -> u64 {
        // ORDERING: Relaxed; a hint.
        self.tail(sent).saturating_sub(self.head.load(Ordering::Relaxed))
    }

    /// Returns the next position from one on, and what its entry says until S2.
    #[inline(always)]
    fn vacant(self, slots: Slots<'_>, mut position: u64) -> Result<(u64, u64), NotInLine> {
        for _ in 0..TRIES {
            let (entry, lap) = self.entry(position);
            // ORDERING: Acquire; pairs with S2 of the lap before: its slot is seen READY, or later.
            let word = entry.load(Ordering::Acquire);
            match Self::read(word, lap) {
                Entry::Vacant if position < POSITIONS => return Ok((position, word)),
                Entry::Before(number) if position < POSITIONS => {
                    let before = State::Ready(position.wrapping_sub(self.entries.len() as u64));
                    let slot = slots.get(number).ok_or(NotInLine::Corrupt)?;
                    let is_gone = slot.word() != before.to_bits();
                    return if is_gone { Ok((position, word)) } else { Err(NotInLine::Full) };
                }
                Entry::Holds(_) | Entry::Passed => {
                    // ORDERING: Acquire; as in `later`.
                    let tail = self.tail.load(Ordering::Acquire);
                    position = tail.max(position.wrapping_add(1));
                }
                _ => return Err(NotInLine::Corrupt),
            }
        }
        Self::advance(self.tail, position);
        Err(NotInLine::Busy)
    }

    /// Puts a message in line: that in slot `number`, which `me` has written. `sent`: how far the
    /// sender came. Returns what its state is then, if that failed.
    #[inline(always)]
    pub(super) fn put(
        self,
        slots: Slots<'_>,
        number: usize,
        slot: Slot<'_>,
        me: ParticipantId,
        sent: &AtomicU64,
    ) -> Result<(), (NotInLine, State)> {
        let mut state = State::Writing(me);
        let began = self.tail(sent);
        let mut from = began;
        for _ in 0..TRIES {
            let (position, word) = self.vacant(slots, from).map_err(|why| (why, state))?;
            slot.set_position(position);
            let ready = State::Ready(position);
            slot.exchange(state, ready).map_err(|_| (NotInLine::Lost, state))?;
            state = ready;
            // CRASH: dying here leaves a message in no line; a sweep makes it RETURNED.
            crash_point!("queue: ready, not in line");
            let (entry, lap) = self.entry(position);
            let full = lap | FULL | number as u64;
            // ORDERING: SeqCst; as Release it pairs with the Acquire in `first`: the receiver sees
            // READY. Release would be too weak: see `waiting`.
            let (success, failure) = (Ordering::SeqCst, Ordering::Relaxed);
            if entry.compare_exchange(word, full, success, failure).is_ok() {
                // CRASH: dying here leaves the tail to the next process that looks further.
                crash_point!("queue: in line, tail not moved");
                self.came_to(self.tail, sent, began, position.wrapping_add(1));
                return Ok(());
            }
            from = position;
        }
        Err((NotInLine::Busy, state))
    }

    /// Returns the first message in line from a position on, if there is one: its position, and its
    /// slot. `received`: where the receiver remembers how far it came.
    ///
    /// Without `looks`, a message at `from` may be gone: R1 finds that out, and need not fetch the
    /// line of the slot twice.
    #[inline(always)]
    pub(super) fn first(
        self,
        slots: Slots<'_>,
        received: &AtomicU64,
        from: u64,
        looks: bool,
    ) -> Result<Option<(u64, usize)>, NotInLine> {
        let mut position = from;
        for _ in 0..TRIES {
            let (entry, lap) = self.entry(position);
            // ORDERING: Acquire; pairs with S2: its slot is seen READY, or later.
            match Self::read(entry.load(Ordering::Acquire), lap) {
                Entry::Vacant | Entry::Before(_) => {
                    if position != from {
                        self.passed(received, from, position);
                    }
                    return Ok(None);
                }
                Entry::Holds(number) => {
                    if position == from && !looks {
                        return Ok(Some((position, number)));
                    }
                    let slot = slots.get(number).ok_or(NotInLine::Corrupt)?;
                    if slot.word() == State::Ready(position).to_bits() {
                        return Ok(Some((position, number)));
                    }
                    position = position.wrapping_add(1);
                }
                // ORDERING: Acquire; as in `later`.
                Entry::Passed => {
                    let head = self.head.load(Ordering::Acquire);
                    position = head.max(position.wrapping_add(1));
                }
                Entry::Garbage => return Err(NotInLine::Corrupt),
            }
        }
        self.passed(received, from, position);
        Err(NotInLine::Busy)
    }

    /// Remembers that the messages before `to` are gone. The search for them began at `began`.
    #[inline(always)]
    pub(super) fn passed(self, received: &AtomicU64, began: u64, to: u64) {
        self.came_to(self.head, received, began, to);
    }

    /// Returns the slot of the message that is so many behind a position, if there is one.
    #[inline(always)]
    pub(super) fn ahead(self, position: u64, by: u64) -> Option<usize> {
        let (entry, lap) = self.entry(position.wrapping_add(by));
        // ORDERING: Relaxed; a hint.
        match Self::read(entry.load(Ordering::Relaxed), lap) {
            Entry::Holds(slot) => Some(slot),
            _ => None,
        }
    }

    /// Returns whether the entry of a position names this slot.
    pub(super) fn has(self, position: u64, slot: usize) -> bool {
        let (entry, lap) = self.entry(position);
        // ORDERING: Acquire; pairs with S2.
        Self::read(entry.load(Ordering::Acquire), lap) == Entry::Holds(slot)
    }
}
