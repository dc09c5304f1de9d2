//! The slots of a queue: each holds one message, and a word that says whose it is.
//!
//! ```text
//! slot       0       8          16       24     32
//!            | state | position | sender | info | value, in whole words |
//!            | state | position | sender | info | length | elements |     of a list
//! info       63        32 31          0
//!            | priority  | deliveries |
//!
//! state      0: FREE
//!            63            32 31  14   13    12         2 1   0
//!            |  generation   |  0  | TAKEN |  slot + 1   | 0 1 |     held by a participant
//!            63                                  4 3   2 1   0
//!            |             position               | what | 1 0 |     a message in no hands
//! ```
//!
//! | state | meaning | who may leave it, and how |
//! |---|---|---|
//! | FREE | no message | any sender, to WRITING by its id |
//! | WRITING(id) | `id` writes a message | `id`, to READY; once `id` is dead any process, to FREE |
//! | READY(position) | a message | see below |
//! | TAKEN(id) | `id` has the message | `id`, to FREE, RETURNED or ASIDE; others, once it is dead |
//! | RETURNED(position) | a message that was given back | any receiver, to TAKEN by its id |
//! | ASIDE(position) | it came back too often, or was rejected | any process, to RETURNED or FREE |
//!
//! READY is left by a receiver, to TAKEN. As long as the message is in no line, its sender leaves
//! it to READY at another position, and once the sender is dead any process leaves it to RETURNED.
//! A message that a dead receiver had becomes RETURNED or ASIDE.
//!
//! Each change is one exchange from a known value. A value that names a participant has its
//! generation, and no message has the position of another that is READY, RETURNED or ASIDE in the
//! same slot: so no exchange succeeds for another message than the one that was looked at. Words of
//! a slot other than the state are written only by the participant that the state names, and the
//! position of a message that is READY and in no line yet also by its sender: so the state is right
//! where the two differ, and a receiver that takes a RETURNED message writes the position again.

use crate::memory::atomic::{AtomicU64, Ordering, fence};
use crate::memory::copy::own_early;
use crate::participant::ParticipantId;

/// From this number of slots on, those that are used soon are fetched early.
const MANY: usize = 64;
/// The word of a slot that is in its second cache line, or in the next slot.
const SECOND_LINE: usize = 8;
/// How many messages before it is used a slot is fetched.
pub(super) const AHEAD: usize = 4;

/// The words of a slot before its value, by their names in the schema: with a length if messages
/// are lists.
const HEADER: [&str; 5] = ["state", "position", "sender", "info", "length"];
const STATE: usize = 0;
const POSITION: usize = 1;
const SENDER: usize = 2;
const INFO: usize = 3;
const LENGTH: usize = 4;

/// The names of the words of a slot before its value.
pub(super) const fn header(has_lists: bool) -> &'static [&'static str] {
    if has_lists { &HEADER } else { HEADER.split_at(LENGTH).0 }
}

const HELD: u64 = 0b01;
const PLACED: u64 = 0b10;
const FORM: u64 = 0b11;
const TAKEN: u64 = 1 << 13;
const READY: u64 = 0;
const RETURNED: u64 = 1 << 2;
const ASIDE: u64 = 2 << 2;
const WHAT: u64 = 0b11 << 2;
const POSITION_SHIFT: u32 = 4;
/// The positions that a state can have: one more than the largest.
pub(super) const POSITIONS: u64 = 1 << (64 - POSITION_SHIFT);

/// What the state word of a slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Free,
    Writing(ParticipantId),
    Taken(ParticipantId),
    Ready(u64),
    Returned(u64),
    Aside(u64),
}

impl State {
    /// Returns the state as the word holds it.
    #[inline(always)]
    pub(super) fn to_bits(self) -> u64 {
        let placed = |position: u64, what| position << POSITION_SHIFT | what | PLACED;
        match self {
            Self::Free => 0,
            Self::Writing(id) => id.to_bits() | HELD,
            Self::Taken(id) => id.to_bits() | TAKEN | HELD,
            Self::Ready(position) => placed(position, READY),
            Self::Returned(position) => placed(position, RETURNED),
            Self::Aside(position) => placed(position, ASIDE),
        }
    }

    /// Returns the state that a word holds, if it is one that participants write.
    pub(super) fn from_bits(word: u64) -> Option<Self> {
        let position = word >> POSITION_SHIFT;
        let state = match (word & FORM, word & WHAT) {
            _ if word == 0 => Self::Free,
            (HELD, _) if word & TAKEN == 0 => Self::Writing(ParticipantId::from_bits(word)?),
            (HELD, _) => Self::Taken(ParticipantId::from_bits(word)?),
            (PLACED, READY) => Self::Ready(position),
            (PLACED, RETURNED) => Self::Returned(position),
            (PLACED, ASIDE) => Self::Aside(position),
            _ => return None,
        };
        (state.to_bits() == word).then_some(state)
    }
}

/// The slots of a queue.
#[derive(Clone, Copy)]
pub(super) struct Slots<'a> {
    words: &'a [AtomicU64],
    /// Words from one slot to the next.
    stride: usize,
    count: usize,
    has_lists: bool,
}

impl<'a> Slots<'a> {
    /// Slots in words, `stride` words each: at least as many as the header has.
    #[inline(always)]
    pub(super) fn new(
        words: &'a [AtomicU64],
        stride: usize,
        count: usize,
        has_lists: bool,
    ) -> Self {
        debug_assert!(stride >= header(has_lists).len() && words.len() >= stride * count);
        Self { words, stride, count, has_lists }
    }

    #[inline(always)]
    pub(super) fn count(self) -> usize {
        self.count
    }

    /// Returns a slot, if there is one with this number.
    #[inline(always)]
    pub(super) fn get(self, number: usize) -> Option<Slot<'a>> {
        // First, because the number may be garbage, and the product too large.
        if number >= self.count {
            return None;
        }
        let words = self.words.get(number * self.stride..)?.get(..self.stride)?;
        Some(Slot { words, has_length: self.has_lists })
    }

    /// Fetches a slot that is used soon, to write to it. Only if there are so many that the other
    /// side is not using it now.
    #[inline(always)]
    pub(super) fn own_early(self, number: usize) {
        if self.count >= MANY {
            let number = if number >= self.count { number - self.count } else { number };
            // The number may be garbage.
            let first = number.saturating_mul(self.stride);
            own_early(self.words, first);
            own_early(self.words, first.saturating_add(SECOND_LINE));
        }
    }

    /// Returns all slots, with their numbers.
    pub(super) fn all(self) -> impl Iterator<Item = (usize, Slot<'a>)> {
        let slots = self.words.chunks_exact(self.stride).take(self.count);
        slots.map(move |words| Slot { words, has_length: self.has_lists }).enumerate()
    }
}

/// A slot.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    /// INVARIANT: at least as many as the header has.
    words: &'a [AtomicU64],
    has_length: bool,
}

/// What is known of a message besides its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) priority: u32,
    /// How often it was handed to a receiver.
    pub(super) deliveries: u32,
}

impl<'a> Slot<'a> {
    /// Loads the state word.
    #[inline(always)]
    pub(super) fn word(self) -> u64 {
        // ORDERING: Acquire; pairs with `exchange`: what was written to the slot before is seen.
        self.words[STATE].load(Ordering::Acquire)
    }

    /// Returns the state, if it is one that participants write.
    #[inline(always)]
    pub(super) fn state(self) -> Option<State> {
        State::from_bits(self.word())
    }

    /// Returns whether `me` still has the message, after a copy of its value.
    #[inline(always)]
    pub(super) fn is_taken_by(self, me: ParticipantId) -> bool {
        // ORDERING: Acquire; the state is looked at after the copy.
        fence(Ordering::Acquire);
        self.word() == State::Taken(me).to_bits()
    }

    /// Exchanges a state for another. `Err`: the word that was found instead.
    #[inline(always)]
    pub(super) fn exchange(self, from: State, to: State) -> Result<(), u64> {
        // ORDERING: SeqCst; as AcqRel it pairs with itself: the next holder of the slot sees what
        // the last one wrote, and the last one has read before the next one writes. AcqRel would be
        // too weak for a state that lets a waiter go on: see `protocol`.
        let (success, failure) = (Ordering::SeqCst, Ordering::Acquire);
        let word = &self.words[STATE];
        word.compare_exchange(from.to_bits(), to.to_bits(), success, failure).map(|_| ())
    }

    /// Where the message is in the order of the queue.
    pub(super) fn position(self) -> u64 {
        // ORDERING: Relaxed; written before the state that names the message.
        self.words[POSITION].load(Ordering::Relaxed) % POSITIONS
    }

    #[inline(always)]
    pub(super) fn set_position(self, position: u64) {
        // ORDERING: Relaxed; the exchange of the state releases it.
        self.words[POSITION].store(position, Ordering::Relaxed);
    }

    /// The sender of the message, if the word names a participant.
    pub(super) fn sender(self) -> Option<ParticipantId> {
        // ORDERING: Relaxed; as in `position`.
        ParticipantId::from_bits(self.words[SENDER].load(Ordering::Relaxed))
    }

    /// Writes what the sender says of a new message. Only lists have a length.
    #[inline(always)]
    pub(super) fn begin(self, sender: ParticipantId, priority: u32, length: u64) {
        if self.has_length {
            // ORDERING: Relaxed; as in `set_position`.
            self.words[LENGTH].store(length, Ordering::Relaxed);
        }
        // ORDERING: Relaxed; as in `set_position`.
        self.words[SENDER].store(sender.to_bits(), Ordering::Relaxed);
        self.set_info(Info { priority, deliveries: 0 });
    }

    #[inline(always)]
    pub(super) fn info(self) -> Info {
        // ORDERING: Relaxed; as in `position`.
        let info = self.words[INFO].load(Ordering::Relaxed);
        Info { priority: (info >> 32) as u32, deliveries: info as u32 }
    }

    #[inline(always)]
    pub(super) fn set_info(self, info: Info) {
        let word = u64::from(info.priority) << 32 | u64::from(info.deliveries);
        // ORDERING: Relaxed; as in `set_position`.
        self.words[INFO].store(word, Ordering::Relaxed);
    }

    /// How many elements the message has, if it is a list.
    #[inline(always)]
    pub(super) fn length(self) -> Option<u64> {
        // ORDERING: Relaxed; as in `position`.
        self.has_length.then(|| self.words[LENGTH].load(Ordering::Relaxed))
    }

    /// The words of the value.
    #[inline(always)]
    pub(super) fn value(self) -> &'a [AtomicU64] {
        if self.has_length { &self.words[LENGTH + 1..] } else { &self.words[LENGTH..] }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_from_its_word_and_other_words_are_none() {
        let id = ParticipantId::new(1_023, u32::MAX);
        for state in [
            State::Free,
            State::Writing(id),
            State::Taken(id),
            State::Ready(0),
            State::Returned(POSITIONS - 1),
            State::Aside(7),
        ] {
            assert_eq!(State::from_bits(state.to_bits()), Some(state));
        }
        for garbage in [1, 3, 4, 0b1110, u64::MAX, HELD | TAKEN, id.to_bits() | HELD | 1 << 14] {
            assert_eq!(State::from_bits(garbage), None, "{garbage:#x}");
        }
    }
}
