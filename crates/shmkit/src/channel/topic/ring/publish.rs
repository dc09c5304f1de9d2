//! The publisher's side of the ring: claim a sequence, write the value, complete it.

use core::ops::ControlFlow;

use super::records::{Room, Slowest};
use super::{
    COMPLETE, HasShape, LAST, MARKS, Ring, STAMP_SHIFT, STATE, TAIL_SHIFT, TRIES, WRITING,
    WhenFull, is_incomplete,
};
use crate::memory::atomic::{AtomicU64, Ordering, fence};
use crate::memory::copy::copy_in;
use crate::participant::{Liveness, ParticipantId};
use crate::wait::{
    CLOSED, Checked, Extent, Poll, SleepTicket, Stop, Until, WaitLoop, WaitWord, Wake,
};

/// Why a message could not be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimError {
    /// The object was retired.
    Closed,
    /// There is no room: the slot of the slowest subscriber, or none if a publisher has not
    /// completed the oldest message.
    Full(Option<u32>),
    /// Other publishers claimed the next sequence in each of many attempts.
    Busy,
    /// The wait was stopped.
    Stopped(Stop),
    /// Another process skipped the entry: it took this publisher for dead.
    RoleLost,
    /// The words have values that no participant writes.
    Corrupt,
}

/// What a publisher remembers from one message to the next.
#[derive(Debug)]
pub(crate) struct Publishing {
    me: ParticipantId,
    /// The last sequence for which it knows that there is room.
    limit: u64,
    /// The number of subscribers, and how often subscribers had come and gone when it was counted.
    audience: Option<(u64, u32)>,
}

impl Publishing {
    /// Joins as a publisher, in a slot that nothing else uses.
    pub(crate) fn join<S: HasShape>(ring: Ring<'_, S>, me: ParticipantId) -> Self {
        ring.enter_publisher(me);
        Self { me, limit: 0, audience: None }
    }

    /// Returns how many subscribers there are.
    #[inline(always)]
    pub(crate) fn audience<S: HasShape>(&mut self, ring: Ring<'_, S>) -> u32 {
        let changes = ring.count_changes();
        match self.audience {
            Some((counted_at, count)) if counted_at == changes => count,
            _ => self.count_audience(ring, changes),
        }
    }

    #[cold]
    fn count_audience<S: HasShape>(&mut self, ring: Ring<'_, S>, changes: u64) -> u32 {
        let count = ring.count_subscribers();
        self.audience = Some((changes, count));
        count
    }

    /// Counts the subscribers again at the next message.
    pub(crate) fn forget_audience(&mut self) {
        self.audience = None;
    }
}

/// A sequence that a publisher has claimed, and not yet completed.
#[derive(Debug)]
#[must_use = "subscribers wait for it"]
pub(crate) struct Claim {
    sequence: u64,
    /// The stamp of its entry.
    stamp: u64,
    /// How many subscribers it reaches.
    pub(crate) audience: u32,
}

/// What a publisher waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Obstacle<'a> {
    /// The sequence that is to be complete; 0 if it waits for a subscriber.
    entry: u64,
    /// The slot of the subscriber, if it waits for one.
    slot: Option<u32>,
    word: WaitWord<'a>,
    /// The word when it was looked at.
    seen: u64,
}

impl<'a> Obstacle<'a> {
    fn is_there(&self) -> bool {
        // ORDERING: Relaxed; the next attempt to claim has the ordering.
        self.word.load(Ordering::Relaxed) == self.seen
    }

    pub(super) fn ticket(&self) -> SleepTicket<'a> {
        SleepTicket::new(self.word, self.seen)
    }
}

/// Why a claim did not succeed at once.
#[derive(Debug)]
pub(crate) enum Refused<'a> {
    /// It can succeed once this is gone.
    Wait(Obstacle<'a>),
    Failed(ClaimError),
}

impl<'a> Refused<'a> {
    fn obstacle(self) -> Option<Obstacle<'a>> {
        match self {
            Self::Wait(obstacle) => Some(obstacle),
            Self::Failed(_) => None,
        }
    }
}

impl Claim {
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl<'a, S: HasShape> Ring<'a, S> {
    /// Writes the value of a claimed sequence, and completes it: subscribers have it then.
    ///
    /// # If a process dies
    /// Subscribers get the whole message, or the entry is skipped.
    #[inline(always)]
    pub(crate) fn publish_claimed(self, mut claim: Claim, value: &[u8]) -> Result<(), ClaimError> {
        self.write(&mut claim, value)?;
        crash_point!("topic: written, not complete");
        self.advance(&mut claim, COMPLETE, 0)
    }

    /// Claims the next sequence.
    #[inline(always)]
    pub(crate) fn claim(self, publishing: &mut Publishing) -> Result<Claim, Refused<'a>> {
        for _ in 0..TRIES {
            // Before the claim: a subscriber that joins after it does not get the message.
            let audience = publishing.audience(self);
            // ORDERING: Acquire; pairs with the exchange below, by the last claimer.
            let tail = self.tail().load(Ordering::Acquire);
            if tail & CLOSED != 0 {
                return Err(Refused::Failed(ClaimError::Closed));
            }
            let sequence = (tail >> TAIL_SHIFT) + 1;
            if sequence > publishing.limit && self.when_full != WhenFull::Overwrite {
                publishing.limit = self.find_room(sequence)?;
            }
            let word = self.stamp(sequence);
            // ORDERING: Acquire; pairs with the exchange in `advance`: this publisher stores its
            // words after those of the last message in the entry.
            let stamp = word.load(Ordering::Acquire);
            if !is_free_for(stamp, sequence, self.depth) {
                self.check_entry(tail, sequence, stamp)?;
                continue;
            }
            // CRASH: dying before `tail` moves leaves a dead publisher's record, which counts for
            // nothing.
            self.set_claiming(publishing.me.slot(), sequence);
            crash_point!("topic: about to claim");
            let claimed = sequence << TAIL_SHIFT;
            let order = Ordering::AcqRel;
            // ORDERING: AcqRel; pairs with the Acquire in `last`: `claiming` is seen too.
            if self.tail().change(tail, claimed, order, Wake::Nobody).is_ok() {
                // CRASH: dying from here until the stamp is complete leaves a claimed entry. A
                // process that needs it skips it.
                crash_point!("topic: claimed, not written");
                return Ok(Claim { sequence, stamp, audience });
            }
            self.set_claiming(publishing.me.slot(), 0);
        }
        Err(Refused::Failed(ClaimError::Busy))
    }

    /// Computes how far publishers may go, and refuses `sequence` if that is not far enough.
    #[cold]
    fn find_room(self, sequence: u64) -> Result<u64, Refused<'a>> {
        if sequence > LAST {
            return Err(Refused::Failed(ClaimError::Corrupt));
        }
        let room = self.room();
        let Room { last, slowest } = room.ok_or(Refused::Failed(ClaimError::Closed))?;
        match slowest {
            Some(Slowest { slot, cursor: word, seen }) if sequence > last => {
                Err(Refused::Wait(Obstacle { entry: 0, slot: Some(slot), word, seen }))
            }
            _ => Ok(last),
        }
    }

    /// Returns what a claim would wait for now. `None`: it would succeed, or fail.
    pub(super) fn obstacle(self) -> Option<Obstacle<'a>> {
        // ORDERING: Acquire; as in `claim`.
        let tail = self.tail().load(Ordering::Acquire);
        let sequence = (tail >> TAIL_SHIFT) + 1;
        if tail & CLOSED != 0 {
            return None;
        }
        if self.when_full != WhenFull::Overwrite
            && let Err(refused) = self.find_room(sequence)
        {
            return refused.obstacle();
        }
        // ORDERING: Acquire; as in `claim`.
        let stamp = self.stamp(sequence).load(Ordering::Acquire);
        match is_free_for(stamp, sequence, self.depth) {
            true => None,
            false => self.check_entry(tail, sequence, stamp).err()?.obstacle(),
        }
    }

    /// Says what is wrong with an entry whose stamp is not that of a message that may be
    /// overwritten. `Ok` if another publisher claimed the sequence meanwhile.
    #[cold]
    fn check_entry(self, tail: u64, sequence: u64, stamp: u64) -> Result<(), Refused<'a>> {
        let before = sequence.saturating_sub(self.depth);
        if sequence > LAST {
            return Err(Refused::Failed(ClaimError::Corrupt));
        }
        if is_incomplete(stamp, before) && before > 0 {
            let (slot, word, seen) = (None, self.stamp(sequence), stamp);
            return Err(Refused::Wait(Obstacle { entry: before, slot, word, seen }));
        }
        // ORDERING: Acquire; as in `claim`. After the Acquire of the stamp, so it finds the claim
        // of a publisher that wrote that.
        match self.tail().load(Ordering::Acquire) == tail {
            true => Err(Refused::Failed(ClaimError::Corrupt)),
            false => Ok(()),
        }
    }

    /// Claims the next sequence, and waits for room as long as `until` says.
    pub(crate) fn claim_within(
        self,
        publishing: &mut Publishing,
        wait_loop: &WaitLoop,
        until: Until,
        liveness: &impl Liveness,
    ) -> Result<Claim, ClaimError> {
        let obstacle = match self.claim(publishing) {
            Ok(claim) => return Ok(claim),
            Err(Refused::Wait(obstacle)) => obstacle,
            Err(Refused::Failed(error)) => return Err(error),
        };
        type Context<'c, 'a> = (&'c mut Publishing, Obstacle<'a>);
        let attempt = |(publishing, obstacle): &mut Context<'_, 'a>| match self.claim(publishing) {
            Ok(claim) => Some(Ok(claim)),
            Err(Refused::Failed(error)) => Some(Err(error)),
            Err(Refused::Wait(next)) => {
                *obstacle = next;
                None
            }
        };
        let mut context: Context<'_, 'a> = (publishing, obstacle);
        let waited = wait_loop.wait_looking(
            &mut context,
            liveness.notices(),
            until,
            |context| match context.1.is_there() {
                true => ControlFlow::Continue(()),
                false => match attempt(context) {
                    Some(found) => ControlFlow::Break(Some(found)),
                    None => ControlFlow::Continue(()),
                },
            },
            |context, _| match attempt(context) {
                Some(found) => Poll::Ready(found),
                None => Poll::Pending(context.1.ticket()),
            },
            |context, extent| self.check_obstacle(&context.1, extent, liveness),
        );
        let slot = context.1.slot;
        waited.result(|| Err(ClaimError::Full(slot)), |stop| Err(ClaimError::Stopped(stop)))
    }

    /// Removes a dead subscriber, or skips the entry of a dead publisher.
    pub(super) fn repair(
        self,
        obstacle: &Obstacle<'_>,
        extent: Extent<'_>,
        liveness: &impl Liveness,
    ) {
        match obstacle.slot {
            Some(slot) => {
                self.reap_subscriber(slot, liveness);
                self.reap_subscribers(extent, liveness);
            }
            None => self.skip_if_abandoned(obstacle.entry, liveness),
        }
    }

    /// The slow check of a publisher that waits.
    fn check_obstacle(
        self,
        obstacle: &Obstacle<'_>,
        extent: Extent<'_>,
        liveness: &impl Liveness,
    ) -> Option<Checked<Result<Claim, ClaimError>>> {
        self.repair(obstacle, extent, liveness);
        liveness.object_is_removed().then_some(Checked::Removed(Err(ClaimError::Closed)))
    }

    /// Writes the value of a claimed sequence.
    #[inline(always)]
    fn write(self, claim: &mut Claim, value: &[u8]) -> Result<(), ClaimError> {
        if self.when_full == WhenFull::Overwrite {
            // The mark of a sleeper stays: it is woken when the value is complete.
            self.advance(claim, WRITING, MARKS)?;
            crash_point!("topic: being written");
        }
        // ORDERING: Release; pairs with the Acquire fence in `read`: a subscriber that copied a
        // word stored after this fence finds `tail`, or the stamp, as it was stored before it.
        fence(Ordering::Release);
        let entry = self.entry(claim.sequence);
        if let Some(length) = entry.length {
            let elements = value.len() / self.shape.shape().element_bytes;
            // ORDERING: Relaxed; ordered as the words of the value are.
            length.store(elements as u64, Ordering::Relaxed);
        }
        write_value(value, entry.value);
        Ok(())
    }

    /// Moves the stamp of a claimed entry to another state, and wakes the waiters. Of the marks of
    /// the old stamp, `keep` stay.
    #[inline(always)]
    pub(super) fn advance(
        self,
        claim: &mut Claim,
        state: u64,
        keep: u64,
    ) -> Result<(), ClaimError> {
        let word = self.stamp(claim.sequence);
        let wake = if keep == 0 { Wake::All } else { Wake::Moved };
        for _ in 0..TRIES {
            let from = claim.stamp;
            if from & CLOSED != 0 {
                return Err(ClaimError::Closed);
            }
            let to = claim.sequence << STAMP_SHIFT | state | from & keep;
            // ORDERING: Release; pairs with the Acquire of stamps in `read` and `claim`: the value
            // is seen too.
            match word.change(from, to, Ordering::Release, wake) {
                Ok(()) => {
                    claim.stamp = to;
                    return Ok(());
                }
                // A waiter marked it, or the object was retired.
                Err(found) if (found ^ from) & !MARKS == 0 => claim.stamp = found,
                Err(_) => return Err(ClaimError::RoleLost),
            }
        }
        Err(ClaimError::Corrupt)
    }
}

/// Whether an entry with this stamp is complete or skipped for the sequence before, one round ago.
#[inline(always)]
fn is_free_for(stamp: u64, sequence: u64, depth: u64) -> bool {
    stamp >> STAMP_SHIFT == sequence.saturating_sub(depth)
        && matches!(stamp & STATE, COMPLETE | super::SKIPPED)
}

/// Copies the value into its entry, with a crash point in the middle.
///
/// # Panics
/// If the value has more bytes than there are words.
#[inline(always)]
fn write_value(value: &[u8], words: &[AtomicU64]) {
    if cfg!(any(feature = "crash-points", loom)) {
        let half = value.len() / size_of::<u64>() / 2;
        let (first, second) = value.split_at(half * size_of::<u64>());
        copy_in(first, &words[..half]);
        crash_point!("topic: half written");
        copy_in(second, &words[half..]);
    } else {
        copy_in(value, words);
    }
}
