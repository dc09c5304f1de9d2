//! The records of participants: who subscribes, who publishes, how far each subscriber is.

use super::{HasShape, LAST, Ring, TAIL_SHIFT, TRIES};
use crate::channel::topic::geometry::{
    CLAIMING, CURSOR, LOST, PUBLISHING, RECORD_WORDS, SUBSCRIBED,
};
use crate::memory::atomic::{AtomicU64, Ordering, fence};
use crate::participant::{Liveness, ParticipantId};
use crate::wait::{ASLEEP, CLOSED, Extent, WaitWord, Wake};

/// Where a sequence is in a cursor.
pub(super) const CURSOR_SHIFT: u32 = 3;
/// In a cursor: changes when it no longer counts.
const NUDGE: u64 = 1 << 2;

/// A subscriber, as an outsider sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    pub(crate) id: ParticipantId,
    /// How many messages are published that it has not received.
    pub(crate) lag: u64,
    /// How many messages it has lost.
    pub(crate) lost: u64,
}

/// The subscriber whose cursor is the lowest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slowest<'a> {
    pub(super) slot: u32,
    pub(super) cursor: WaitWord<'a>,
    /// The word when it was looked at.
    pub(super) seen: u64,
}

/// How far publishers may go.
pub(super) struct Room<'a> {
    /// The last sequence for which there is room.
    pub(super) last: u64,
    /// The subscriber that is behind the tail, and further behind than any other.
    pub(super) slowest: Option<Slowest<'a>>,
}

impl<'a, S: HasShape> Ring<'a, S> {
    /// Begins to count a subscriber: every message that is claimed from now on reaches it. Returns
    /// the last sequence before that, and the one from which it begins to read, up to `history`
    /// sequences before.
    pub(super) fn enter_subscriber(self, me: ParticipantId, history: u64) -> (u64, u64) {
        let Some(record) = self.record(me.slot()) else { return (0, 0) };
        self.enter(me.slot());
        // ORDERING: Relaxed; the liveness lock of the slot was acquired after its last participant
        // wrote this.
        if let Some(last) = ParticipantId::from_bits(record[SUBSCRIBED].load(Ordering::Relaxed)) {
            self.unsubscribe(me.slot(), last);
        }
        // ORDERING: Relaxed; only shown to people.
        record[LOST].store(0, Ordering::Relaxed);
        let begin = |last: u64| last - history.min(self.depth).min(last);
        self.set_cursor(record, begin(self.last()));
        // ORDERING: Release; pairs with the Acquire in `room`: the cursor is seen with it.
        record[SUBSCRIBED].store(me.to_bits(), Ordering::Release);
        // CRASH: dying from here on leaves a subscriber that is dead: the next publisher that waits
        // for it removes it.
        crash_point!("topic: subscribed, not counted");
        // ORDERING: SeqCst; with the fence in `room`. Either that one finds this subscriber, or the
        // load below finds the tail that was loaded before that one.
        fence(Ordering::SeqCst);
        let joined = self.last();
        self.set_cursor(record, begin(joined));
        // ORDERING: Release; pairs with the Acquire in `Publishing::audience`.
        self.changes().fetch_add(1, Ordering::Release);
        (joined, begin(joined))
    }

    /// Names the publisher of a slot.
    pub(super) fn enter_publisher(self, me: ParticipantId) {
        let Some(record) = self.record(me.slot()) else { return };
        self.enter(me.slot());
        // ORDERING: Release; as in `set_claiming`.
        record[CLAIMING].store(0, Ordering::Release);
        // ORDERING: Release; pairs with the Acquire in `has_living_claimer`: what the last
        // publisher of the slot claimed is not taken for a claim of this one.
        record[PUBLISHING].store(me.to_bits(), Ordering::Release);
    }

    /// Counts a slot as used.
    fn enter(self, slot: u32) {
        // ORDERING: Relaxed; seen by a process that sees what this participant does next.
        self.used().fetch_max(u64::from(slot) + 1, Ordering::Relaxed);
    }

    /// Ends the record of a publisher.
    pub(crate) fn leave_publisher(self, me: ParticipantId) {
        let Some(record) = self.record(me.slot()) else { return };
        // ORDERING: Release; pairs with the Acquire in `has_living_claimer`: what it claimed is
        // seen complete, and the buffer in its entry.
        let (bits, order) = (me.to_bits(), Ordering::Release);
        let _ = record[PUBLISHING].compare_exchange(bits, 0, order, Ordering::Relaxed);
    }

    /// Ends the subscription of `id` in a slot, which has left or is dead: its cursor no longer
    /// counts, and publishers that wait for it continue.
    pub(crate) fn unsubscribe(self, slot: u32, id: ParticipantId) {
        self.end_subscription(slot, id.to_bits());
    }

    /// The same, where `subscribed` is this word.
    fn end_subscription(self, slot: u32, bits: u64) {
        let Some(record) = self.record(slot) else { return };
        // ORDERING: AcqRel; pairs with the Acquire in `room`. The id names its generation, so of
        // several processes one succeeds, and no later subscriber of the slot is removed.
        let order = Ordering::AcqRel;
        if record[SUBSCRIBED].compare_exchange(bits, 0, order, Ordering::Relaxed).is_err() {
            return;
        }
        // CRASH: dying here leaves publishers asleep until their slow check, and the number of
        // subscribers uncounted until they count again, once in a second.
        crash_point!("topic: unsubscribed, not counted");
        // ORDERING: Release; pairs with the Acquire in `Publishing::audience`.
        self.changes().fetch_add(1, Ordering::Release);
        self.nudge(WaitWord::new(&record[CURSOR]));
    }

    /// Wakes the publishers that sleep on a cursor, and lets those look again that are about to.
    /// It changes no sequence: by now it may be the cursor of the next subscriber.
    fn nudge(self, cursor: WaitWord<'_>) {
        for _ in 0..TRIES {
            // ORDERING: Relaxed; the exchange decides.
            let had = cursor.load(Ordering::Relaxed);
            let nudged = (had ^ NUDGE) & !ASLEEP;
            // ORDERING: AcqRel; pairs with the Acquire in `room`: the subscriber is gone there.
            if cursor.change(had, nudged, Ordering::AcqRel, Wake::All).is_ok() {
                return;
            }
        }
    }

    /// Moves a cursor to a sequence, whatever it was before.
    fn set_cursor(self, record: &[AtomicU64], to: u64) {
        let cursor = WaitWord::new(&record[CURSOR]);
        for _ in 0..TRIES {
            // ORDERING: Relaxed; the exchange decides.
            let had = cursor.load(Ordering::Relaxed);
            let moved = to << CURSOR_SHIFT | had & (NUDGE | CLOSED);
            // ORDERING: AcqRel; pairs with the Acquire in `room`.
            if cursor.change(had, moved, Ordering::AcqRel, Wake::All).is_ok() {
                return;
            }
        }
    }

    /// Moves the cursor of a subscriber to a sequence, from the word `had`, and wakes the
    /// publishers that sleep on it. Returns the word that it has now.
    #[inline(always)]
    pub(super) fn move_cursor(self, slot: u32, mut had: u64, to: u64) -> u64 {
        let Some(record) = self.record(slot) else { return had };
        let cursor = WaitWord::new(&record[CURSOR]);
        for _ in 0..TRIES {
            let moved = to << CURSOR_SHIFT | had & (NUDGE | CLOSED);
            // ORDERING: Release; pairs with the Acquire in `room`: the publisher that overwrites
            // the message does so after it was read.
            match cursor.change(had, moved, Ordering::Release, Wake::All) {
                Ok(()) => return moved,
                // A publisher marked it, or the object was retired.
                Err(found) if found >> CURSOR_SHIFT == had >> CURSOR_SHIFT => had = found,
                // It is the cursor of another subscriber: this one lost its slot.
                Err(_) => break,
            }
        }
        had
    }

    /// The same where no publisher waits for it.
    #[inline(always)]
    pub(super) fn store_cursor(self, slot: u32, to: u64) {
        if let Some(record) = self.record(slot) {
            // ORDERING: Release; as in `move_cursor`.
            record[CURSOR].store(to << CURSOR_SHIFT, Ordering::Release);
        }
    }

    /// Records how many messages a subscriber has lost.
    pub(super) fn record_lost(self, slot: u32, lost: u64) {
        if let Some(record) = self.record(slot) {
            // ORDERING: Relaxed; only shown to people.
            record[LOST].store(lost, Ordering::Relaxed);
        }
    }

    /// Computes how far publishers may go. `None` if the object was retired.
    pub(super) fn room(self) -> Option<Room<'a>> {
        let last = self.last();
        // ORDERING: SeqCst; with the fence in `enter_subscriber`: see there.
        fence(Ordering::SeqCst);
        let (mut least, mut slowest) = (last, None);
        for (slot, record) in self.used_records() {
            // ORDERING: Acquire; pairs with the Release in `enter_subscriber`: the cursor is that
            // of this subscriber, or a later one.
            let subscribed = record[SUBSCRIBED].load(Ordering::Acquire);
            if subscribed == 0 {
                continue;
            }
            let cursor = WaitWord::new(&record[CURSOR]);
            // ORDERING: Acquire; pairs with the Release in `move_cursor`.
            let seen = cursor.load(Ordering::Acquire);
            if seen & CLOSED != 0 && self.is_closed() {
                return None;
            }
            // ORDERING: Acquire; after the Acquire of the cursor. If that was nudged before, the
            // subscriber is seen gone, and no publisher sleeps on its cursor.
            let is_there = || record[SUBSCRIBED].load(Ordering::Acquire) == subscribed;
            if seen >> CURSOR_SHIFT < least && is_there() {
                least = seen >> CURSOR_SHIFT;
                slowest = Some(Slowest { slot, cursor, seen });
            }
        }
        Some(Room { last: least.min(LAST) + self.depth, slowest })
    }

    /// How often subscribers have joined and left, as a publisher compares it.
    #[inline(always)]
    pub(super) fn count_changes(self) -> u64 {
        // ORDERING: Acquire; pairs with the Release in `enter_subscriber` and `unsubscribe`: the
        // words of the records are those of that moment, or later ones.
        self.changes().load(Ordering::Acquire)
    }

    /// How many subscribers there are. A dead subscriber counts until a process has found it.
    pub(super) fn count_subscribers(self) -> u32 {
        let records = self.used_records();
        // ORDERING: Acquire; as in `room`.
        let subscribed = |record: &[AtomicU64]| record[SUBSCRIBED].load(Ordering::Acquire) != 0;
        records.filter(|(_, record)| subscribed(record)).count() as u32
    }

    /// Removes the dead among the subscribers that a slow check asks about.
    pub(crate) fn reap_subscribers(self, extent: Extent<'_>, liveness: &impl Liveness) {
        let slots = self.used_records().count() as u32;
        extent.each_slot(slots, |slot| self.reap_subscriber(slot, liveness));
    }

    /// Removes the subscriber of a slot if it is dead. Returns whether there was one.
    pub(crate) fn reap_subscriber(self, slot: u32, liveness: &impl Liveness) -> bool {
        let Some(record) = self.record(slot) else { return false };
        // ORDERING: Acquire; pairs with the Release in `enter_subscriber`.
        let bits = record[SUBSCRIBED].load(Ordering::Acquire);
        if bits == 0 {
            return false;
        }
        let id = ParticipantId::from_bits(bits);
        let id = id.filter(|id| id.to_bits() == bits && id.slot() == slot);
        // Garbage names nobody that could leave.
        if id.is_none_or(|id| liveness.reap_if_dead(id)) {
            self.end_subscription(slot, bits);
        }
        true
    }

    /// Whether a living publisher may have claimed a sequence.
    pub(super) fn has_living_claimer(self, sequence: u64, liveness: &impl Liveness) -> bool {
        self.used_records().any(|(slot, record)| {
            // ORDERING: Acquire; pairs with the Release in `enter_publisher`, and so before the
            // next load.
            let publishing = record[PUBLISHING].load(Ordering::Acquire);
            // ORDERING: Acquire; pairs with the Release in `claim`: an entry that its publisher
            // completed before it claimed another is seen complete.
            let claiming = record[CLAIMING].load(Ordering::Acquire);
            claiming == sequence << TAIL_SHIFT
                && ParticipantId::from_bits(publishing)
                    .is_some_and(|id| id.slot() == slot && !liveness.reap_if_dead(id))
        })
    }

    /// The publisher whose claim is not complete, for each such claim.
    pub(crate) fn claimers(self) -> impl Iterator<Item = ParticipantId> {
        self.used_records().filter_map(move |(slot, record)| {
            // ORDERING: Acquire; as in `has_living_claimer`.
            let publishing = record[PUBLISHING].load(Ordering::Acquire);
            // ORDERING: Acquire; as above.
            let sequence = record[CLAIMING].load(Ordering::Acquire) >> TAIL_SHIFT;
            let is_open = self.claimed().contains(&sequence) && self.is_incomplete(sequence);
            ParticipantId::from_bits(publishing).filter(|id| is_open && id.slot() == slot)
        })
    }

    /// The subscriber of a slot.
    pub(crate) fn subscriber(self, slot: u32) -> Option<ParticipantId> {
        // ORDERING: Acquire; as in `room`.
        ParticipantId::from_bits(self.record(slot)?[SUBSCRIBED].load(Ordering::Acquire))
    }

    /// The subscribers.
    pub(crate) fn cursors(self) -> impl Iterator<Item = Cursor> {
        let last = self.last();
        self.used_records().filter_map(move |(slot, record)| {
            // ORDERING: Acquire; as in `room`.
            let id = ParticipantId::from_bits(record[SUBSCRIBED].load(Ordering::Acquire))?;
            // ORDERING: Acquire; as in `room`.
            let cursor = record[CURSOR].load(Ordering::Acquire) >> CURSOR_SHIFT;
            // ORDERING: Relaxed; only shown to people.
            let lost = record[LOST].load(Ordering::Relaxed);
            (id.slot() == slot).then_some(Cursor { id, lag: last.saturating_sub(cursor), lost })
        })
    }

    /// The records of slots that were used, with the slots.
    pub(super) fn used_records(self) -> impl Iterator<Item = (u32, &'a [AtomicU64])> {
        // ORDERING: Relaxed; as in `enter`.
        let used = usize::try_from(self.used().load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        (0..).zip(self.records.chunks_exact(RECORD_WORDS).take(used))
    }

    /// Records that a publisher is about to claim a sequence, or 0 for none.
    #[inline(always)]
    pub(super) fn set_claiming(self, slot: u32, sequence: u64) {
        if let Some(record) = self.record(slot) {
            // ORDERING: Release; pairs with the Acquire in `has_living_claimer`.
            record[CLAIMING].store(sequence << TAIL_SHIFT, Ordering::Release);
        }
    }
}
