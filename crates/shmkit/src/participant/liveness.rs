//! What a protocol needs to know about other participants.

use super::ParticipantId;
use crate::sys::notices::ObjectNotices;

/// Whether other participants live, and whether the object still exists.
pub(crate) trait Liveness {
    /// Returns whether the participant is dead: its slot has another generation, or its liveness
    /// lock is free.
    fn is_dead(&self, id: ParticipantId) -> bool;

    /// Returns whether the participant is dead, and frees a dead participant's slot first.
    ///
    /// So that participant cannot act any more when what it held is acquired by another. If it
    /// lives, and only lost its liveness lock, it gets `RoleLost`.
    fn reap_if_dead(&self, id: ParticipantId) -> bool {
        self.is_dead(id)
    }

    /// Returns whether the object was removed without waking the waiters.
    fn object_is_removed(&self) -> bool {
        false
    }

    /// The death notices of the object, which tell a waiter when to ask the above.
    fn notices(&self) -> Option<ObjectNotices<'_>> {
        None
    }
}

/// The participants in models, and which of them is dead.
#[cfg(all(test, loom))]
pub(crate) mod models {
    use super::{Liveness, ParticipantId};

    /// A participant that dies, or has died.
    pub(crate) const DEAD: ParticipantId = ParticipantId::new(0, 1);

    /// Knows that this participant is dead, and no other.
    pub(crate) struct DeadIs(pub(crate) Option<ParticipantId>);

    impl Liveness for DeadIs {
        fn is_dead(&self, id: ParticipantId) -> bool {
            self.0 == Some(id)
        }
    }

    pub(crate) const NOBODY_DIED: DeadIs = DeadIs(None);

    /// Returns a participant that lives.
    pub(crate) fn living(slot: u32) -> ParticipantId {
        ParticipantId::new(slot, 7)
    }
}
