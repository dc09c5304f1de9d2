//! How many requests there are, and in which state they are.

use super::protocol::CallWords;
use super::slots::Slot;
use super::state::State;
use crate::participant::ParticipantId;

/// How many requests a [`Call`](super::Call) holds at one moment.
///
/// Together they are at most the number that the object has room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallCounts {
    /// Requests that are being written by their clients.
    pub sending: u32,
    /// Requests that wait for a server.
    pub waiting: u32,
    /// Requests that servers have begun, and whose clients wait.
    pub begun: u32,
    /// Requests that servers have begun, and whose clients have given up.
    pub given_up: u32,
    /// Requests that servers have ended, and whose clients have not read the answer yet.
    pub answered: u32,
}

impl CallCounts {
    /// Returns how many requests there are together.
    pub fn total(&self) -> u32 {
        self.sending + self.waiting + self.begun + self.given_up + self.answered
    }
}

impl CallWords<'_> {
    /// Counts the requests. Each slot is looked at once, one after the other.
    pub(super) fn counts(self) -> CallCounts {
        let mut counts = CallCounts::default();
        for (_, slot) in self.slots.all() {
            let count = match slot.state() {
                Some(State::Writing(_)) => &mut counts.sending,
                Some(State::Ready(_)) => &mut counts.waiting,
                Some(State::Begun(_)) => &mut counts.begun,
                Some(State::GivenUp(_)) => &mut counts.given_up,
                Some(State::Answered(_) | State::Finished(_) | State::Refused(_)) => {
                    &mut counts.answered
                }
                Some(State::Free) | None => continue,
            };
            *count += 1;
        }
        counts
    }

    /// The servers that have requests, and how many each.
    pub(super) fn begun_by(self) -> Vec<(ParticipantId, u64)> {
        let mut found: Vec<(ParticipantId, u64)> = Vec::new();
        for (_, slot) in self.slots.all() {
            let Some(State::Begun(id) | State::GivenUp(id)) = slot.state() else { continue };
            match found.iter_mut().find(|(it, _)| *it == id) {
                Some((_, count)) => *count += 1,
                None => found.push((id, 1)),
            }
        }
        found
    }

    /// Whether each slot has a state that participants write.
    pub(super) fn is_sound(self) -> bool {
        self.slots.all().all(|(_, slot)| Slot::state(slot).is_some())
    }
}
