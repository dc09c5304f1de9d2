//! What an owner word says.

/// Slots are below this.
pub(super) const MAX_SLOTS: u32 = 1_024;

pub(super) const CLOSED: u64 = 1;
const SLOT_SHIFT: u32 = 1;
pub(super) const SLOT_MASK: u64 = ((1 << 11) - 1) << SLOT_SHIFT;
pub(super) const WAITERS: u64 = 1 << 12;
const DEATHS_SHIFT: u32 = 13;
const DEATHS_MASK: u64 = 0xffff << DEATHS_SHIFT;
pub(super) const INCONSISTENT: u64 = 1 << 13;
pub(super) const READERS: u64 = 1 << 14;
pub(super) const UPGRADABLE: u64 = 1 << 16;
pub(super) const DRAINING: u64 = 1 << 17;
pub(super) const DONE: u64 = 1 << 18;
const HANDOFF: u64 = 1 << 19;
const HANDOFFS: u64 = 0xff * HANDOFF;
/// So many turns are for those who slept once one of them starves: as many as may be before it.
const MAX_HANDOFFS: u64 = if cfg!(loom) { 2 * HANDOFF } else { HANDOFFS };
const GENERATION_SHIFT: u32 = 32;

/// Who has something: a slot, below 1,024, and the generation in which it is his.
pub(crate) use crate::object::ParticipantId;

/// A holder, as he stands in a word.
#[inline(always)]
fn bits_of(holder: ParticipantId) -> u64 {
    u64::from(holder.generation) << GENERATION_SHIFT | u64::from(holder.slot + 1) << SLOT_SHIFT
}

/// What a word is for, which decides what bits 13 to 28 say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// A role: each dead holder that is replaced is counted.
    Role,
    /// A lock: a dead holder leaves a mark, and there are marks of those who wait.
    Lock,
}

/// What the word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(super) word: u64,
    pub(super) of: Use,
}

impl State {
    /// Who has it.
    #[inline(always)]
    pub(crate) fn holder(self) -> Option<ParticipantId> {
        let slot = ((self.word & SLOT_MASK) >> SLOT_SHIFT) as u32;
        let generation = (self.word >> GENERATION_SHIFT) as u32;
        slot.checked_sub(1).map(|slot| ParticipantId { slot, generation })
    }

    /// Of a role: how many dead holders were replaced, modulo 2^16.
    pub(crate) fn deaths(self) -> u16 {
        (self.word >> DEATHS_SHIFT) as u16
    }

    /// Nobody can take it any more.
    #[inline(always)]
    pub(crate) fn is_closed(self) -> bool {
        self.word & CLOSED != 0
    }

    /// Whether it is one that a participant writes.
    #[inline(always)]
    pub(crate) fn is_sound(self) -> bool {
        let defined = match self.of {
            Use::Role => DEATHS_MASK,
            Use::Lock => INCONSISTENT | READERS | UPGRADABLE | DRAINING | DONE | HANDOFFS,
        };
        let defined = defined | u64::MAX << GENERATION_SHIFT | WAITERS | SLOT_MASK | CLOSED;
        self.word & !defined == 0 && self.word & SLOT_MASK <= u64::from(MAX_SLOTS) << SLOT_SHIFT
    }

    /// Of a lock: whether the mark is set.
    #[inline(always)]
    pub(crate) fn is_inconsistent(self) -> bool {
        self.has(INCONSISTENT)
    }

    /// Of a lock: whether what is done under it once is done.
    #[inline(always)]
    pub(crate) fn is_done(self) -> bool {
        self.has(DONE)
    }

    /// Of a lock: whether one has it who excludes those who share.
    #[inline(always)]
    pub(crate) fn is_exclusive(self) -> bool {
        self.word & (SLOT_MASK | UPGRADABLE) != 0 && !self.has(UPGRADABLE)
    }

    /// Whether somebody may sleep on it.
    pub(crate) fn has_waiters(self) -> bool {
        let readers = if self.of == Use::Lock { READERS } else { 0 };
        self.word & (WAITERS | readers) != 0
    }

    /// Of a lock: whether the next turn is for those who slept, one of whom has waited for long.
    #[inline(always)]
    pub(super) fn has_handoffs(self) -> bool {
        self.of == Use::Lock && self.word & HANDOFFS != 0
    }

    /// The same with the next turns for those who slept.
    pub(super) fn with_handoffs(self) -> Self {
        self.without(HANDOFFS).with(MAX_HANDOFFS)
    }

    /// The same with no turns for anybody.
    pub(super) fn without_handoffs(self) -> Self {
        self.without(HANDOFFS)
    }

    /// The same with what is left of the turns that `before` had, after one.
    pub(super) fn with_handoffs_after(self, before: Self) -> Self {
        self.with((before.word & HANDOFFS).saturating_sub(HANDOFF))
    }

    #[inline(always)]
    pub(super) fn has(self, marks: u64) -> bool {
        self.word & marks == marks
    }

    #[inline(always)]
    pub(super) fn with(self, marks: u64) -> Self {
        Self { word: self.word | marks, ..self }
    }

    #[inline(always)]
    pub(super) fn without(self, marks: u64) -> Self {
        Self { word: self.word & !marks, ..self }
    }

    /// The same with `holder` in it, who knows of no others that wait for their turn.
    #[inline(always)]
    pub(super) fn held_by(self, holder: ParticipantId, mode: u64) -> Self {
        let kept = match self.of {
            Use::Role => DEATHS_MASK | CLOSED,
            Use::Lock => INCONSISTENT | READERS | DONE | CLOSED,
        };
        Self { word: self.word & kept | bits_of(holder) | mode, ..self }
    }

    /// The same with nobody in it, once those who wait were woken.
    #[inline(always)]
    pub(super) fn free(self) -> Self {
        let kept = match self.of {
            Use::Role => DEATHS_MASK | CLOSED,
            // A turn that is kept for readers is kept until they have it.
            Use::Lock if self.has_handoffs() => INCONSISTENT | DONE | CLOSED | HANDOFFS | READERS,
            Use::Lock => INCONSISTENT | DONE | CLOSED,
        };
        Self { word: self.word & kept, ..self }
    }

    /// The same, once its holder's death is on record: he is still in it.
    pub(super) fn holder_died(self) -> Self {
        match self.of {
            Use::Role => {
                let deaths = u64::from(self.deaths().wrapping_add(1)) << DEATHS_SHIFT;
                Self { word: self.word & !DEATHS_MASK | deaths, ..self }
            }
            // Who was not yet in, or only looked, has changed nothing.
            Use::Lock if self.has(UPGRADABLE) || self.has(DRAINING) => self,
            Use::Lock => self.with(INCONSISTENT),
        }
    }
}
