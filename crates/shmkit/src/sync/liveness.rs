//! Who takes part in the models of this module, and who of them is dead.

use super::owner::{Liveness, ParticipantId};

/// One who dies, or has died.
pub(crate) const DEAD: ParticipantId = ParticipantId { slot: 0, generation: 1 };

/// Knows that nobody is dead but this one.
pub(crate) struct DeadIs(pub(crate) Option<ParticipantId>);

impl Liveness for DeadIs {
    fn is_dead(&self, holder: ParticipantId) -> bool {
        self.0 == Some(holder)
    }
}

pub(crate) const NOBODY_DIED: DeadIs = DeadIs(None);

/// One who lives.
pub(crate) fn holder(slot: u32) -> ParticipantId {
    ParticipantId { slot, generation: 7 }
}
