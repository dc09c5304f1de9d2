//! Freeing what dead participants held in a call.
//!
//! A sweep looks at all slots, and asks about each participant that they name once. It changes only
//! what names a dead participant, or the number of a call whose client is dead: so any number of
//! processes can sweep at a time, and each of them can die at any step. A request that a dead
//! server had begun is not swept while its client lives, which must be told.

use super::protocol::CallWords;
use super::slots::Slot;
use super::state::State;
use crate::channel::queue::{Named, tell};
use crate::participant::{Liveness, ParticipantId};
use crate::wait::Extent;

impl CallWords<'_> {
    /// Frees the slots that the dead participants in this extent hold. Returns how many.
    #[cold]
    #[inline(never)]
    pub(super) fn sweep(self, extent: Extent<'_>, liveness: &impl Liveness) -> u32 {
        let mut named = Named::none();
        for (_, slot) in self.slots.all() {
            if let Some((_, id)) = holder(slot) {
                named.add(id);
            }
        }
        named.ask(extent, liveness);
        let mut freed = 0;
        for (_, slot) in self.slots.all() {
            let Some((state, id)) = holder(slot) else { continue };
            if !named.is_dead(id, liveness) || !is_nobodys(slot, state, liveness) {
                continue;
            }
            // CRASH: dying here leaves the slot to the next sweep.
            crash_point!("call: dead holder found");
            freed += u32::from(slot.exchange(state, State::Free).is_ok());
        }
        if freed > 0 {
            tell(self.departures);
        }
        freed
    }
}

/// The participant that must live so that the slot stays as it is.
fn holder(slot: Slot<'_>) -> Option<(State, ParticipantId)> {
    let state = slot.state()?;
    let id = match state {
        State::Free => return None,
        State::Writing(id) | State::Begun(id) | State::GivenUp(id) => id,
        State::Ready(_) | State::Answered(_) | State::Finished(_) | State::Refused(_) => {
            slot.client()?
        }
    };
    Some((state, id))
}

/// Whether no process needs a slot in a state whose holder is dead.
fn is_nobodys(slot: Slot<'_>, state: State, liveness: &impl Liveness) -> bool {
    if !matches!(state, State::Begun(_)) {
        return true;
    }
    // Once more, now that the server is known to be dead: from here on the slot stays in this call
    // until it is freed, and the client is the one of this call.
    slot.state() == Some(state) && slot.client().is_some_and(|id| liveness.reap_if_dead(id))
}
