//! Reporting each holder's death once.

use super::OwnerWord;
use crate::participant::{Liveness, ParticipantId};

/// The most deaths that are reported one by one. A larger difference is probably garbage: it is
/// reported once.
const MAX_REPORTS: u16 = 64;

/// Returns the count of deaths that are reported after one more report, when the count is `now`:
/// one more, or all of them if there are very many.
pub(crate) fn after_report(counted: u16, now: u16) -> u16 {
    if now.wrapping_sub(counted) > MAX_REPORTS { now } else { counted.wrapping_add(1) }
}

/// Reports each holder's death once, from the owner word and the liveness of its holder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeathWatch {
    /// The count of deaths in the word that were reported, or happened before the watch began.
    counted: u16,
    /// The dead holder that was reported before another participant replaced it.
    reported: Option<ParticipantId>,
}

impl DeathWatch {
    /// Watches from now on. A holder that is already dead, but not yet replaced, is reported.
    pub(crate) fn new(owner: OwnerWord<'_>) -> Self {
        Self { counted: owner.look().deaths(), reported: None }
    }

    /// Reports one more holder that died and was replaced: one load.
    #[inline]
    pub(crate) fn report_replaced(&mut self, owner: OwnerWord<'_>) -> bool {
        let state = owner.look();
        if state.deaths() == self.counted {
            // A holder that left without being replaced was alive: it had only lost its liveness
            // lock.
            self.reported = self.reported.filter(|holder| state.holder() == Some(*holder));
            return false;
        }
        let next = self.counted.wrapping_add(1);
        self.counted = after_report(self.counted, state.deaths());
        // The first holder that was replaced since then is the one that was reported.
        let is_news = self.reported.take().is_none() || self.counted != next;
        is_news || self.report_replaced(owner)
    }

    /// Reports the holder if it is dead and was not reported yet. This is the slow check.
    pub(crate) fn report_dead(
        &mut self,
        owner: OwnerWord<'_>,
        liveness: &impl Liveness,
    ) -> Option<ParticipantId> {
        let holder = owner.look().holder()?;
        if self.reported == Some(holder) || !liveness.is_dead(holder) {
            return None;
        }
        // A holder that left normally released the word before its slot.
        if owner.look().holder() != Some(holder) {
            return None;
        }
        self.reported = Some(holder);
        Some(holder)
    }
}
