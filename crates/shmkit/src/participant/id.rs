//! The id of a participant, and how words hold it.
//!
//! ```text
//! 63            32 31       13 12         2 1   0
//! +---------------+-----------+------------+-----+
//! |  generation   |  0        |  slot + 1  |  0  |    slot + 1 = 0: none
//! +---------------+-----------+------------+-----+
//! ```
//!
//! Every word that names a participant names it in these bits. The lowest two bits are the marks of
//! a wait word, or a state; each protocol defines the other bits.

use core::fmt;

/// The most participants of an object: slots are below this.
pub(crate) const MAX_PARTICIPANTS: u32 = 1_024;

const SLOT_SHIFT: u32 = 2;
const GENERATION_SHIFT: u32 = 32;
/// The bits of the slot.
pub(crate) const SLOT_MASK: u64 = 0x7ff << SLOT_SHIFT;
/// The bits of the generation.
pub(crate) const GENERATION_MASK: u64 = u64::MAX << GENERATION_SHIFT;
/// The bits of an id.
pub(crate) const ID_MASK: u64 = GENERATION_MASK | SLOT_MASK;
const _: () = assert!((MAX_PARTICIPANTS as u64) << SLOT_SHIFT <= SLOT_MASK);

/// A slot in one of its generations: the name by which a participant holds something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ParticipantId(
    /// INVARIANT: nothing outside of [`ID_MASK`], and the slot's bits are not 0.
    u64,
);

impl ParticipantId {
    /// The id of a slot, which is below [`MAX_PARTICIPANTS`], in a generation.
    #[inline(always)]
    pub(crate) const fn new(slot: u32, generation: u32) -> Self {
        Self((generation as u64) << GENERATION_SHIFT | slot_to_bits(slot))
    }

    /// Returns the slot.
    #[inline(always)]
    pub(crate) const fn slot(self) -> u32 {
        ((self.0 & SLOT_MASK) >> SLOT_SHIFT) as u32 - 1
    }

    /// Returns the generation.
    #[inline(always)]
    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> GENERATION_SHIFT) as u32
    }

    /// Returns the id as a word holds it.
    #[inline(always)]
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    /// Returns the id that a word holds, if it holds one. The slot may not exist.
    #[inline(always)]
    pub(crate) fn from_bits(word: u64) -> Option<Self> {
        (word & SLOT_MASK != 0).then_some(Self(word & ID_MASK))
    }
}

impl fmt::Debug for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {} in generation {}", self.slot(), self.generation())
    }
}

/// Returns a slot as a word holds it.
#[inline(always)]
pub(crate) const fn slot_to_bits(slot: u32) -> u64 {
    ((slot + 1) as u64) << SLOT_SHIFT & SLOT_MASK
}

/// Returns the slot that a word holds.
#[inline(always)]
pub(crate) fn slot_from_bits(word: u64) -> Option<u32> {
    (((word & SLOT_MASK) >> SLOT_SHIFT) as u32).checked_sub(1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_from_its_bits_and_any_word_has_one_or_none() {
        for (slot, generation) in [(0, 0), (0, 1), (1_023, u32::MAX), (7, 9)] {
            let id = ParticipantId::new(slot, generation);
            assert_eq!((id.slot(), id.generation()), (slot, generation));
            assert_eq!(id.to_bits() & !ID_MASK, 0);
            assert_eq!(ParticipantId::from_bits(id.to_bits() | !ID_MASK), Some(id));
        }
        assert_eq!(ParticipantId::from_bits(!SLOT_MASK), None);
        let none = ParticipantId::new(2_046, u32::MAX);
        assert_eq!(ParticipantId::from_bits(u64::MAX), Some(none));
    }
}
