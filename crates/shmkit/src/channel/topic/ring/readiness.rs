//! Whether a subscriber has something to receive, or a publisher room: for threads that wait for
//! other things, too.

use super::records::CURSOR_SHIFT;
use super::{COMPLETE, HasShape, LAST, MARKS, Ring, SKIPPED, STAMP_SHIFT, STATE, is_incomplete};
use crate::channel::topic::geometry::CURSOR;
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::Liveness;
use crate::wait::{CLOSED, Extent, Readiness, SleepTicket};

/// A stamp that no publisher writes, which was found: it counts once, as it is reported once.
#[derive(Debug, Default)]
pub(crate) struct SeenGarbage(AtomicU64);

impl<'a, S: HasShape> Ring<'a, S> {
    /// Returns whether the subscriber in a slot would receive a message now, or an error; otherwise
    /// returns what to sleep on. Receives nothing.
    pub(crate) fn readiness(self, slot: u32, garbage: &SeenGarbage) -> Readiness<'a> {
        let sequence = self.next_of(slot);
        let word = self.stamp(sequence);
        // ORDERING: Acquire; as in `read`.
        let stamp = word.load(Ordering::Acquire);
        let pending = || Readiness::Pending(SleepTicket::new(word, stamp));
        if is_incomplete(stamp, sequence) {
            return if stamp & CLOSED == 0 { pending() } else { Readiness::Ready };
        }
        let is_next =
            stamp >> STAMP_SHIFT == sequence && [COMPLETE, SKIPPED].contains(&(stamp & STATE));
        // Otherwise it was overwritten, and the subscriber goes on behind that.
        let is_garbage = !is_next && self.last() < sequence.saturating_add(self.depth);
        // ORDERING: Relaxed; a flag alone.
        if is_garbage && garbage.0.swap(stamp & !MARKS, Ordering::Relaxed) == stamp & !MARKS {
            return pending();
        }
        Readiness::Ready
    }

    /// Skips the next message of the subscriber in a slot, if its publisher died in the middle of
    /// it.
    pub(crate) fn skip_abandoned_of(self, slot: u32, liveness: &impl Liveness) {
        self.skip_if_abandoned(self.next_of(slot), liveness);
    }

    /// Returns whether a publisher would find room for a message now, or get an error; otherwise
    /// returns what to sleep on.
    pub(crate) fn room_readiness(self) -> Readiness<'a> {
        match self.obstacle() {
            Some(obstacle) => Readiness::Pending(obstacle.ticket()),
            None => Readiness::Ready,
        }
    }

    /// Removes what dead participants leave in the way of a publisher.
    pub(crate) fn repair_room(self, extent: Extent<'_>, liveness: &impl Liveness) {
        if let Some(obstacle) = self.obstacle() {
            self.repair(&obstacle, extent, liveness);
        }
    }

    /// The sequence of the message that a subscriber receives next, by its cursor. Another process
    /// can have written anything there.
    fn next_of(self, slot: u32) -> u64 {
        let Some(record) = self.record(slot) else { return 1 };
        // ORDERING: Acquire; pairs with the stores of the cursor.
        let cursor = record[CURSOR].load(Ordering::Acquire) >> CURSOR_SHIFT;
        cursor.min(LAST) + 1
    }
}
