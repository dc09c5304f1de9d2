//! Reporting the death of each participant in a role once.

use crate::error::Peer;
use crate::object::OpenObject;
use crate::participant::owner::after_report;
use crate::participant::{ParticipantId, Role};

/// Reports the death of each participant in a role once, to one handle.
#[derive(Debug)]
pub(in crate::channel) struct RoleDeaths {
    role: Role,
    /// How many deaths were reported, or happened before the watch began, modulo 2^16.
    reported: u16,
    /// The participants whose deaths were reported and that had their slots at the last report.
    told: Vec<ParticipantId>,
}

impl RoleDeaths {
    /// Watches from now on. A participant that is already dead, but whose death is not yet counted,
    /// is reported.
    pub(in crate::channel) fn from_now(object: &OpenObject, role: Role) -> Self {
        Self { role, reported: object.participants().counted_deaths(role), told: Vec::new() }
    }

    /// Reports the next death, if there is one: with a participant that was not reported before, if
    /// one still has its slot. A system call for each participant.
    pub(in crate::channel) fn next(&mut self, object: &OpenObject) -> Option<Option<Peer>> {
        let mut dead = Vec::new();
        let deaths = object.participants().deaths(self.role, |id| dead.push(id));
        // A count that was loaded too early is one smaller: then no death is reported twice.
        if deaths == self.reported || deaths == self.reported.wrapping_sub(1) {
            return None;
        }
        self.reported = after_report(self.reported, deaths);
        let next = dead.iter().copied().find(|id| !self.told.contains(id));
        if deaths != self.reported {
            // The others are reported by later calls.
            dead.retain(|id| Some(*id) == next || self.told.contains(id));
        }
        self.told = dead;
        Some(next.map(|id| object.peer(id)))
    }
}
