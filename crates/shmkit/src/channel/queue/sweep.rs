//! Giving back what dead participants held in a queue.
//!
//! | a slot that is | becomes |
//! |---|---|
//! | WRITING by a dead sender | FREE |
//! | TAKEN by a dead receiver | RETURNED, or ASIDE if it was handed over as often as it may be |
//! | READY, in no line, from a dead sender | RETURNED |
//! | RETURNED | the bit in `returned` is set for it |
//!
//! With priorities, a lock that a dead participant holds becomes free and inconsistent, and the
//! bit is set: the next receiver builds the order again.
//!
//! A sweep looks at all slots, and asks about each participant that they name once. It changes only
//! what names a dead participant in its generation, so any number of processes can sweep at a time,
//! and each of them can die at any step.

use super::protocol::{Order, QueueWords};
use super::slots::{Slot, State};
use super::tell::tell;
use crate::participant::owner::OwnerWord;
use crate::participant::{Liveness, MAX_PARTICIPANTS, ParticipantId};
use crate::wait::Extent;

const ALIVE: u64 = 1;
const DEAD: u64 = 2;

/// The participants that slots name, and what was found out about them.
pub(in crate::channel) struct Named([u64; MAX_PARTICIPANTS as usize]);

impl Named {
    /// No participants yet.
    pub(in crate::channel) const fn none() -> Self {
        Self([0; MAX_PARTICIPANTS as usize])
    }

    pub(in crate::channel) fn add(&mut self, id: ParticipantId) {
        if let Some(named) = self.0.get_mut(id.slot() as usize) {
            *named = id.to_bits();
        }
    }

    /// Asks about the participants in the extent of the check.
    pub(in crate::channel) fn ask(&mut self, extent: Extent<'_>, liveness: &impl Liveness) {
        extent.each_slot(MAX_PARTICIPANTS, |slot| {
            let named = &mut self.0[slot as usize];
            let Some(id) = ParticipantId::from_bits(*named) else { return false };
            *named |= if liveness.reap_if_dead(id) { DEAD } else { ALIVE };
            true
        });
    }

    /// Whether a participant is dead, as far as the answer is known; else asks.
    pub(in crate::channel) fn is_dead(&self, id: ParticipantId, liveness: &impl Liveness) -> bool {
        match self.0.get(id.slot() as usize) {
            Some(named) if named & !(ALIVE | DEAD) == id.to_bits() => named & DEAD != 0,
            // Another generation than the one that was asked about: it costs no system call.
            _ => liveness.reap_if_dead(id),
        }
    }
}

impl<'a> QueueWords<'a> {
    /// Gives back what the dead participants in this extent hold.
    #[cold]
    #[inline(never)]
    pub(super) fn sweep(self, extent: Extent<'_>, liveness: &impl Liveness) {
        let mut named = Named::none();
        for (number, slot) in self.slots.all() {
            if let Some((_, id)) = self.holder(number, slot) {
                named.add(id);
            }
        }
        named.ask(extent, liveness);
        let mut is_unannounced = false;
        for (number, slot) in self.slots.all() {
            is_unannounced |= matches!(slot.state(), Some(State::Returned(_)));
            if let Some((state, id)) = self.holder(number, slot)
                && named.is_dead(id, liveness)
            {
                self.free(slot, state);
            }
        }
        if let Order::Ranks(lock, _) = self.order {
            is_unannounced |= free_lock(lock, liveness);
        }
        if is_unannounced && !self.must_scan() {
            self.announce();
        }
    }

    /// The participant that must live so that the slot stays as it is.
    fn holder(self, number: usize, slot: Slot<'a>) -> Option<(State, ParticipantId)> {
        let state = slot.state()?;
        match (state, self.order) {
            (State::Writing(id) | State::Taken(id), _) => Some((state, id)),
            (State::Ready(position), Order::Line(line)) if !line.has(position, number) => {
                Some((state, slot.sender()?))
            }
            _ => None,
        }
    }

    /// Frees a slot in this state, whose holder is dead.
    fn free(self, slot: Slot<'_>, state: State) {
        crash_point!("queue: dead holder found");
        match state {
            State::Writing(_) => {
                if slot.exchange(state, State::Free).is_ok() {
                    tell(self.departures);
                }
            }
            State::Taken(_) => self.give_back_of(slot, state),
            // If its sender put it in line after the look, and then died, it is gone from there.
            State::Ready(position) => {
                if slot.exchange(state, State::Returned(position)).is_ok() {
                    self.announce();
                }
            }
            State::Free | State::Returned(_) | State::Aside(_) => {}
        }
    }
}

/// Frees the lock if its holder is dead. Returns whether the order must be built again.
fn free_lock(lock: OwnerWord<'_>, liveness: &impl Liveness) -> bool {
    if lock.holder_is_dead(liveness) {
        // A garbage word is reported by the next process that wants the lock.
        let _ = lock.replace_dead_holder(None, liveness);
    }
    lock.look().is_inconsistent()
}
