//! Telling each holder's death once.

use super::{Liveness, OwnerWord, ParticipantId};

/// Tells of each holder's death once, from what the word and the liveness say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeathWatch {
    /// Deaths in the word that were told, or that came before the watch.
    counted: u16,
    /// The dead holder who was told of before anybody replaced him.
    reported: Option<ParticipantId>,
}

impl DeathWatch {
    /// Watches from now on: a holder who is dead already counts as news.
    pub(crate) fn new(owner: OwnerWord<'_>) -> Self {
        Self { counted: owner.look().deaths(), reported: None }
    }

    /// Whether one more holder died: one load, and sees only those who were replaced.
    #[inline]
    pub(crate) fn replaced(&mut self, owner: OwnerWord<'_>) -> bool {
        let state = owner.look();
        if state.deaths() == self.counted {
            // Gone without having been replaced: it lost its proof of life, and lived.
            self.reported = self.reported.filter(|holder| state.holder() == Some(*holder));
            return false;
        }
        self.counted = self.counted.wrapping_add(1);
        // The first one replaced since is the one who was told of.
        self.reported.take().is_none() || self.replaced(owner)
    }

    /// The holder, if he is dead and was not yet told of: asks the liveness.
    pub(crate) fn died(
        &mut self,
        owner: OwnerWord<'_>,
        liveness: &impl Liveness,
    ) -> Option<ParticipantId> {
        let holder = owner.look().holder()?;
        if self.reported == Some(holder) || !liveness.is_dead(holder) {
            return None;
        }
        // Who left in good order gave the word back before its slot.
        if owner.look().holder() != Some(holder) {
            return None;
        }
        self.reported = Some(holder);
        Some(holder)
    }
}
