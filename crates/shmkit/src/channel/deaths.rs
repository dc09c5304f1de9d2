//! Reporting the death of each participant in a role once.

use crate::error::Peer;
use crate::object::OpenObject;
use crate::participant::Role;
use crate::participant::owner::after_report;

/// Reports the death of each participant in a role once, to one handle.
#[derive(Debug)]
pub(in crate::channel) struct RoleDeaths {
    role: Role,
    /// How many deaths were reported, or happened before the watch began, modulo 2^16.
    reported: u16,
}

impl RoleDeaths {
    /// Watches from now on. A participant that is already dead, but whose death is not yet counted,
    /// is reported.
    pub(in crate::channel) fn from_now(object: &OpenObject, role: Role) -> Self {
        Self { role, reported: object.participants().counted_deaths(role) }
    }

    /// Reports the next death, if there is one: with the participant, if its slot is not reused
    /// yet. A system call for each participant.
    pub(in crate::channel) fn next(&mut self, object: &OpenObject) -> Option<Option<Peer>> {
        let (deaths, last) = object.participants().deaths(self.role);
        // A count that was loaded too early is one smaller: then no death is reported twice.
        if deaths == self.reported || deaths == self.reported.wrapping_sub(1) {
            return None;
        }
        self.reported = after_report(self.reported, deaths);
        let dead = last.filter(|_| deaths == self.reported);
        Some(dead.map(|dead| object.peer(dead)))
    }
}
