//! What becomes of a message that was taken.
//!
//! # How receivers find what was given back
//!
//! A RETURNED message is in no line. A process that makes it so then changes the word `returned`,
//! and sets its lowest bit: receivers scan the slots while it is set. A receiver that finds no
//! RETURNED slot clears the bit, by an exchange from the value before its scan: so a message that
//! was given back during the scan keeps the bit set. A process that dies before it sets the bit
//! leaves that to the next sweep, which sets it for any RETURNED slot.
//!
//! A receiver prefers a RETURNED message to the head of the line if its position is not behind the
//! head's. So it comes in its old place.

use super::line::{MAX_SLOTS, TRIES};
use super::protocol::{QueueWords, SCAN};
use super::slots::{Info, Slot, State};
use super::tell::tell;
use crate::memory::atomic::Ordering;
use crate::participant::ParticipantId;

impl QueueWords<'_> {
    /// Frees the slot of a message that `me` took. False if it is not TAKEN by `me` any more.
    #[inline(always)]
    pub(super) fn acknowledge(self, number: usize, me: ParticipantId) -> bool {
        let Some(slot) = self.slots.get(number) else { return false };
        let is_mine = slot.exchange(State::Taken(me), State::Free).is_ok();
        // CRASH: dying here wakes nobody: sleeping senders look again on the death notice.
        crash_point!("queue: acknowledged, nobody told");
        tell(self.departures);
        is_mine
    }

    /// Gives back a message that `me` took: at its old place, or aside if it was handed over as
    /// often as it may be.
    #[cold]
    pub(super) fn give_back(self, number: usize, me: ParticipantId) {
        if let Some(slot) = self.slots.get(number) {
            self.give_back_of(slot, State::Taken(me));
        }
    }

    /// Puts back a message that `me` took, but was not handed to the program: it does not count as
    /// a delivery.
    #[cold]
    pub(super) fn put_back(self, number: usize, me: ParticipantId) {
        let Some(slot) = self.slots.get(number) else { return };
        let info = slot.info();
        slot.set_info(Info { deliveries: info.deliveries.saturating_sub(1), ..info });
        // CRASH: dying before or after this is dying with a message that was not counted, or as in
        // `give_back_of`.
        if slot.exchange(State::Taken(me), State::Returned(slot.position())).is_ok() {
            self.announce();
        }
    }

    /// Sets aside a message that `me` took.
    #[cold]
    pub(super) fn reject(self, number: usize, me: ParticipantId) {
        if let Some(slot) = self.slots.get(number) {
            let _ = slot.exchange(State::Taken(me), State::Aside(slot.position()));
        }
    }

    pub(super) fn give_back_of(self, slot: Slot<'_>, taken: State) {
        let position = slot.position();
        let is_over = self.delivery_limit > 0 && slot.info().deliveries >= self.delivery_limit;
        let to = if is_over { State::Aside(position) } else { State::Returned(position) };
        // CRASH: dying after this leaves a message that no bit announces, to the next sweep.
        if slot.exchange(taken, to).is_ok() && !is_over {
            crash_point!("queue: returned, not announced");
            self.announce();
        }
    }

    /// Tells receivers that there are RETURNED messages.
    #[cold]
    pub(super) fn announce(self) {
        // ORDERING: Relaxed; the exchange decides.
        let mut seen = self.returned.load(Ordering::Relaxed);
        for _ in 0..TRIES {
            let next = (seen | SCAN).wrapping_add(SCAN << 1);
            // ORDERING: SeqCst; as Release it pairs with the Acquire in `must_scan`; and C1.
            let order = Ordering::SeqCst;
            match self.returned.compare_exchange(seen, next, order, Ordering::Relaxed) {
                Ok(_) => break,
                Err(found) => seen = found,
            }
        }
        tell(self.arrivals);
    }

    /// Frees the slot of a message that is ASIDE, or gives the message back: see `dead`. False if
    /// no message with this number is aside.
    pub(super) fn change_aside(self, number: u64, is_dropped: bool) -> bool {
        let Some(slot) = self.slots.get((number % MAX_SLOTS as u64) as usize) else { return false };
        let Some(aside @ State::Aside(position)) = slot.state() else { return false };
        let to = if is_dropped { State::Free } else { State::Returned(position) };
        let is_it = letter_number(position, number as usize % MAX_SLOTS) == number;
        let changed = is_it && slot.exchange(aside, to).is_ok();
        if changed && is_dropped {
            tell(self.departures);
        } else if changed {
            self.announce();
        }
        changed
    }
}

/// The number of a message that is aside in a slot, by which a program names it.
pub(super) fn letter_number(position: u64, slot: usize) -> u64 {
    position.wrapping_mul(MAX_SLOTS as u64) | slot as u64
}
