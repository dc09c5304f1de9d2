//! Waiting for a lock together with other things.

use super::OwnerWord;
use crate::participant::Liveness;
use crate::wait::{ASLEEP, Patience, Readiness, Standing};

impl<'a> OwnerWord<'a> {
    /// Returns whether the word is free, and not left to others; otherwise returns what to sleep
    /// on. Acquires nothing.
    pub(crate) fn readiness(self, patience: &Patience) -> Readiness<'a> {
        let Ok(state) = self.check_state() else { return Readiness::Ready };
        let ticket = || self.ticket(state, ASLEEP, &Standing::default());
        if state.holder().is_some() {
            return Readiness::Pending(ticket());
        }
        if state.is_reserved() && !patience.is_over() {
            return Readiness::Pending(ticket().for_at_most(Patience::LIMIT));
        }
        if !state.is_reserved() {
            patience.forget();
        }
        Readiness::Ready
    }

    /// The slow check of a waiter that does not acquire the word: frees it if its holder is dead,
    /// as an inconsistent one. Returns whether it is closed or holds garbage.
    pub(crate) fn free_dead_holder(self, liveness: &impl Liveness) -> bool {
        self.replace_dead_holder(None, liveness).is_some()
    }

    /// Has another waiter woken, which may need the wake that this one received.
    pub(crate) fn pass_wake_on(self) {
        self.leave_queue();
    }
}
