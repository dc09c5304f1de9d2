//! A handle that is waited for together with others.

use std::sync::{Arc, Weak};

use super::open_object::OpenObject;
use crate::memory::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::participant::{Liveness, ParticipantId};
use crate::sys::notices::ObjectNotices;
use crate::wait::Readiness;

/// What a source knows of its handle and the handle's object, which stays open with it.
pub(crate) struct Watched {
    object: Arc<OpenObject>,
    /// The slot of the handle, if it has one.
    me: Option<ParticipantId>,
    /// Lives as long as the handle.
    handle: Weak<dyn Send + Sync>,
    /// The object was removed without closing its words.
    is_removed: AtomicBool,
}

impl Watched {
    /// Watches a handle that lives as long as the value behind `handle`.
    pub(crate) fn new(
        object: &Arc<OpenObject>,
        me: Option<ParticipantId>,
        handle: Weak<dyn Send + Sync>,
    ) -> Self {
        Self { object: object.clone(), me, handle, is_removed: AtomicBool::new(false) }
    }

    /// What is already decided, whatever the words of the object say: a handle that was dropped is
    /// never ready; a call on one that cannot act returns an error.
    pub(crate) fn decided(&self) -> Option<Readiness<'_>> {
        if self.handle.strong_count() == 0 {
            return Some(Readiness::Never);
        }
        let has_slot = || match self.me {
            Some(me) => self.object.participants().identity_of(me).is_some(),
            None => true,
        };
        // ORDERING: Relaxed; a flag alone.
        let is_removed = || self.is_removed.load(Ordering::Relaxed);
        let can_act = self.object.check_not_forked().is_ok() && !is_removed() && has_slot();
        (!can_act).then_some(Readiness::Ready)
    }

    /// Part of each slow check: returns whether the object was removed.
    pub(crate) fn check_removed(&self) -> bool {
        let is_removed = self.object.object_is_removed();
        if is_removed {
            // ORDERING: Relaxed; as above.
            self.is_removed.store(true, Ordering::Relaxed);
        }
        is_removed
    }

    /// The slot of the handle, which has one.
    pub(crate) fn slot(&self) -> u32 {
        self.me.map_or(0, ParticipantId::slot)
    }

    /// Frees the slot of another participant if that is dead. Returns whether no living
    /// participant has it.
    pub(crate) fn reap_slot(&self, slot: u32) -> bool {
        let is_own = self.me.is_some_and(|me| me.slot() == slot);
        !is_own && self.object.participants().reap_slot(slot)
    }

    pub(crate) fn object(&self) -> &OpenObject {
        &self.object
    }

    pub(crate) fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.object.notices()
    }

    /// `count` words at `place` of the payload. Empty only if the layout has no such words.
    pub(crate) fn words(&self, place: u64, count: usize) -> &[AtomicU64] {
        self.object.payload().words(place as usize, count).unwrap_or_default()
    }
}
