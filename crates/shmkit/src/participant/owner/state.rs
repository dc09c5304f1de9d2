//! The state of an owner word.

use crate::participant::MAX_PARTICIPANTS;
use crate::participant::ParticipantId;
use crate::participant::id::{ID_MASK, SLOT_MASK, slot_to_bits};
use crate::wait::{ASLEEP, CLOSED};

const DEATHS_SHIFT: u32 = 13;
const DEATHS_MASK: u64 = 0xffff << DEATHS_SHIFT;
pub(super) const INCONSISTENT: u64 = 1 << 13;
pub(super) const READERS: u64 = 1 << 14;
pub(super) const TO_READERS: u64 = 1 << 15;
pub(super) const UPGRADABLE: u64 = 1 << 16;
pub(super) const DRAINING: u64 = 1 << 17;
pub(super) const DONE: u64 = 1 << 18;
const HANDOFF: u64 = 1 << 19;
const HANDOFFS: u64 = 0xff * HANDOFF;
/// How many handoffs a waiter requests that has waited for long: as many may be before it in the
/// queue.
const MAX_HANDOFFS: u64 = if cfg!(loom) { 2 * HANDOFF } else { HANDOFFS };

/// What a waiter requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// One handoff, to the first in the queue.
    First,
    /// As many as it takes until it is its own turn.
    Me,
    /// One handoff, to all readers that wait.
    Readers,
}

/// What an owner word is used for: this decides what bits 13 to 28 mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// A role: each dead holder that is replaced is counted.
    Role,
    /// A lock: a dead holder leaves it inconsistent, and waiters have further marks.
    Lock,
}

/// How the word was acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// No holder left anything half-done.
    Clean,
    /// A holder died: what it left half-done must be repaired. For a role, this is the last holder;
    /// for a lock, any holder since the lock was last marked consistent.
    Inconsistent,
}

/// The value of an owner word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(super) word: u64,
    pub(super) of: Use,
}

impl State {
    /// Returns the participant that holds the word.
    #[inline(always)]
    pub(crate) fn holder(self) -> Option<ParticipantId> {
        ParticipantId::from_bits(self.word)
    }

    /// Returns how many dead holders were replaced, modulo 2^16. Only for a role.
    pub(crate) fn deaths(self) -> u16 {
        (self.word >> DEATHS_SHIFT) as u16
    }

    /// Returns whether no participant can acquire the word any more.
    #[inline(always)]
    pub(crate) fn is_closed(self) -> bool {
        self.has(CLOSED)
    }

    /// Returns whether it is a value that participants write.
    #[inline(always)]
    pub(crate) fn is_sound(self) -> bool {
        let defined = match self.of {
            Use::Role => DEATHS_MASK,
            Use::Lock => {
                INCONSISTENT | READERS | TO_READERS | UPGRADABLE | DRAINING | DONE | HANDOFFS
            }
        };
        let last = slot_to_bits(MAX_PARTICIPANTS - 1);
        self.word & !(defined | ID_MASK | ASLEEP | CLOSED) == 0 && self.word & SLOT_MASK <= last
    }

    /// Returns whether a holder of the lock died in a critical section.
    #[inline(always)]
    pub(crate) fn is_inconsistent(self) -> bool {
        self.of == Use::Lock && self.has(INCONSISTENT)
    }

    /// Returns what a participant learns that acquires or shares the word in this state.
    #[inline(always)]
    pub(crate) fn acquired(self) -> Acquired {
        if self.is_inconsistent() { Acquired::Inconsistent } else { Acquired::Clean }
    }

    /// Returns whether DONE is set in the lock.
    #[inline(always)]
    pub(crate) fn is_done(self) -> bool {
        self.has(DONE)
    }

    /// Returns whether the lock's holder excludes readers.
    #[inline(always)]
    pub(crate) fn is_exclusive(self) -> bool {
        self.word & (SLOT_MASK | UPGRADABLE) != 0 && !self.has(UPGRADABLE)
    }

    /// Returns whether the lock's next acquisition is reserved for a thread that slept.
    #[inline(always)]
    pub(crate) fn has_handoffs(self) -> bool {
        self.of == Use::Lock && self.word & HANDOFFS != 0
    }

    /// Returns whether a free lock is left to readers that wait.
    #[inline(always)]
    pub(super) fn is_left_to_readers(self) -> bool {
        self.of == Use::Lock && self.has(TO_READERS)
    }

    /// Returns whether the next acquisition is reserved: for a thread that slept, or for readers.
    #[inline(always)]
    pub(crate) fn is_reserved(self) -> bool {
        self.has_handoffs() || self.is_left_to_readers()
    }

    /// The same with the next acquisitions reserved. Another waiter's request for more stays.
    pub(super) fn with_handoffs(self, request: Request) -> Self {
        match request {
            Request::First if self.word & HANDOFFS != 0 => self,
            Request::First => self.with(HANDOFF),
            Request::Me => self.without(HANDOFFS).with(MAX_HANDOFFS),
            Request::Readers => self.with(TO_READERS),
        }
    }

    /// The same with nothing reserved.
    pub(super) fn without_handoffs(self) -> Self {
        self.without(HANDOFFS | TO_READERS)
    }

    /// The same with the handoffs that `before` had, less one.
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

    /// The same with `holder` in it, without ASLEEP and without handoffs.
    #[inline(always)]
    pub(super) fn with_holder(self, holder: ParticipantId, mode: u64) -> Self {
        let kept = match self.of {
            Use::Role => DEATHS_MASK | CLOSED,
            Use::Lock => INCONSISTENT | READERS | DONE | CLOSED,
        };
        Self { word: self.word & kept | holder.to_bits() | mode, ..self }
    }

    /// The same without a holder and without marks of waiters.
    #[inline(always)]
    pub(super) fn without_holder(self) -> Self {
        let kept = match self.of {
            Use::Role => DEATHS_MASK | CLOSED,
            Use::Lock => INCONSISTENT | DONE | CLOSED | HANDOFFS | TO_READERS,
        };
        Self { word: self.word & kept, ..self }
    }

    /// The same with its holder's death recorded: the holder is still in it.
    pub(super) fn with_death(self) -> Self {
        match self.of {
            Use::Role => {
                let deaths = u64::from(self.deaths().wrapping_add(1)) << DEATHS_SHIFT;
                Self { word: self.word & !DEATHS_MASK | deaths, ..self }
            }
            // A holder that was still draining, or that only read, has changed nothing.
            Use::Lock if self.has(UPGRADABLE) || self.has(DRAINING) => self,
            Use::Lock => self.with(INCONSISTENT),
        }
    }
}
