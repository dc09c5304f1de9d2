//! How many messages a queue holds, and in which state they are.

use std::collections::BTreeMap;

use super::protocol::QueueWords;
use super::slots::State;
use crate::memory::atomic::{Ordering, fence};
use crate::participant::ParticipantId;

/// How many messages a queue holds at one moment.
///
/// Together they are at most its depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueCounts {
    /// Messages that are being written by their senders.
    pub sending: u32,
    /// Messages that wait for a receiver.
    pub ready: u32,
    /// Messages that receivers have, and have not acknowledged.
    pub taken: u32,
    /// Messages that are set aside: see [`Queue::dead_letters`](super::Queue::dead_letters).
    pub dead: u32,
}

impl QueueCounts {
    /// Returns how many messages there are together.
    pub fn total(&self) -> u32 {
        self.sending + self.ready + self.taken + self.dead
    }
}

impl QueueWords<'_> {
    /// Counts the messages. Each slot is looked at once, one after the other.
    pub(super) fn counts(self) -> QueueCounts {
        let mut counts = QueueCounts::default();
        for (_, slot) in self.slots.all() {
            let count = match slot.state() {
                Some(State::Writing(_)) => &mut counts.sending,
                Some(State::Ready(_) | State::Returned(_)) => &mut counts.ready,
                Some(State::Taken(_)) => &mut counts.taken,
                Some(State::Aside(_)) => &mut counts.dead,
                Some(State::Free) | None => continue,
            };
            *count += 1;
        }
        counts
    }

    /// Counts the messages that wait for a receiver, by priority.
    pub(super) fn counts_by_priority(self) -> BTreeMap<u32, u32> {
        let mut counts = BTreeMap::new();
        for (_, slot) in self.slots.all() {
            let (before, priority) = (slot.word(), slot.info().priority);
            // ORDERING: Acquire; the state is looked at again after the priority.
            fence(Ordering::Acquire);
            let is_ready =
                matches!(State::from_bits(before), Some(State::Ready(_) | State::Returned(_)));
            if is_ready && slot.word() == before {
                *counts.entry(priority).or_default() += 1;
            }
        }
        counts
    }

    /// Counts the messages that each participant has taken.
    pub(super) fn taken_by(self) -> Vec<(ParticipantId, u64)> {
        let mut taken: BTreeMap<u64, u64> = BTreeMap::new();
        for (_, slot) in self.slots.all() {
            if let Some(State::Taken(id)) = slot.state() {
                *taken.entry(id.to_bits()).or_default() += 1;
            }
        }
        let ids = taken.into_iter();
        ids.filter_map(|(bits, count)| Some((ParticipantId::from_bits(bits)?, count))).collect()
    }

    /// Returns whether all state words have values that participants write.
    pub(super) fn is_sound(self) -> bool {
        self.slots.all().all(|(_, slot)| slot.state().is_some())
    }
}
