//! The subscriber's side of the ring: read the next message, move the cursor.

use core::ops::ControlFlow;

use super::records::CURSOR_SHIFT;
use super::{
    COMPLETE, Entry, HasShape, MARKS, Ring, SKIPPED, STAMP_SHIFT, STATE, TAIL_SHIFT, TRIES,
    WhenFull, is_incomplete,
};
use crate::channel::message::Place;
use crate::memory::atomic::{AtomicU64, Ordering, fence};
use crate::memory::copy::{copy_out, fetch_early};
use crate::participant::{Liveness, ParticipantId};
use crate::wait::{CLOSED, Checked, Poll, SleepTicket, Stop, Until, WaitLoop, WaitWord};

/// The index of the value's first word in the line after the stamp's, if an entry begins with a
/// line.
const SECOND_LINE: usize = 7;

/// Why there is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReceiveError {
    /// The object was retired.
    Closed,
    /// None was published until the timeout.
    TimedOut,
    /// The wait was stopped.
    Stopped(Stop),
    /// An entry has a stamp, or a length, that no publisher writes. It is reported once.
    Corrupt,
    /// There is no memory for a message of so many bytes. It stays.
    NoRoom(usize),
}

/// What a subscriber remembers from one message to the next.
#[derive(Debug)]
pub(crate) struct Subscription {
    me: ParticipantId,
    /// The sequence of the message that it reads next.
    next: u64,
    /// The last sequence before it joined.
    joined: u64,
    /// How many messages were overwritten before it read them.
    lost: u64,
    /// The word of its cursor, as it was stored last.
    cursor: u64,
    /// A stamp that was reported as garbage.
    garbage: Option<u64>,
}

impl Subscription {
    /// Joins as a subscriber, in a slot that nothing else uses. It begins with messages that were
    /// published before, up to `history` of them.
    pub(crate) fn join<S: HasShape>(ring: Ring<'_, S>, me: ParticipantId, history: u64) -> Self {
        let (joined, begin) = ring.enter_subscriber(me, history);
        let cursor = begin << CURSOR_SHIFT;
        Self { me, next: begin + 1, joined, lost: 0, cursor, garbage: None }
    }

    /// The sequence of the message that it received last.
    pub(crate) fn sequence(&self) -> u64 {
        self.next - 1
    }

    /// How many messages were overwritten before it read them.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }
}

/// What a look found.
#[derive(Clone, Copy, Debug)]
enum Look<'a> {
    /// The message was copied.
    Received,
    /// It is not there yet.
    Pending(WaitWord<'a>, u64),
    Failed(ReceiveError),
}

/// What is done with a message that is there.
pub(crate) trait Intake {
    fn take_in<S: HasShape>(
        &mut self,
        ring: Ring<'_, S>,
        sequence: u64,
        is_protected: bool,
    ) -> Result<(), Miss>;
}

/// It is copied: all of the room is initialised then.
impl<P: Place + ?Sized> Intake for P {
    #[inline(always)]
    fn take_in<S: HasShape>(
        &mut self,
        ring: Ring<'_, S>,
        sequence: u64,
        is_protected: bool,
    ) -> Result<(), Miss> {
        ring.read(sequence, is_protected, self)
    }
}

/// Why a message could not be copied.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Miss {
    /// Its entry has this stamp.
    Found(u64),
    /// It was claimed for another message meanwhile.
    Overwritten,
    /// It is a list that is longer than the longest.
    TooLong,
    /// Its entry has no buffer.
    NoBuffer,
    /// There is no room for so many bytes.
    NoRoom(usize),
}

impl<'a, S: HasShape> Ring<'a, S> {
    /// Takes the next message in, if it is there.
    #[inline(always)]
    pub(crate) fn try_receive<I: Intake + ?Sized>(
        self,
        subscription: &mut Subscription,
        into: &mut I,
    ) -> bool {
        let sequence = subscription.next;
        let received = into.take_in(self, sequence, self.protects(subscription)).is_ok();
        if received {
            self.pass(subscription, sequence);
        }
        received
    }

    /// Whether the next message is complete, or was overwritten.
    pub(crate) fn has_next(self, subscription: &Subscription) -> bool {
        // ORDERING: Relaxed; the copy that follows has the ordering.
        let found = self.stamp(subscription.next).load(Ordering::Relaxed);
        found >> STAMP_SHIFT >= subscription.next && found & STATE == COMPLETE
    }

    /// Copies the next message to `into`, which is then initialised. Waits for it as long as
    /// `until` says. `news` is asked at each slow check whether there is another reason to end the
    /// wait.
    pub(crate) fn receive<N, I: Intake + ?Sized>(
        self,
        subscription: &mut Subscription,
        into: &mut I,
        wait_loop: &WaitLoop,
        until: Until,
        liveness: &impl Liveness,
        mut news: impl FnMut() -> Option<N>,
    ) -> Result<(), Ended<N>> {
        let waited = wait_loop.wait_looking(
            &mut (subscription, into),
            liveness.notices(),
            until,
            |(subscription, into)| match self.look(subscription, &mut **into) {
                Look::Received => ControlFlow::Break(Some(Ok(()))),
                Look::Pending(..) => ControlFlow::Continue(()),
                Look::Failed(error) => ControlFlow::Break(Some(Err(Ended::Failed(error)))),
            },
            |(subscription, into), _| match self.look(subscription, &mut **into) {
                Look::Received => Poll::Ready(Ok(())),
                Look::Pending(word, seen) => Poll::Pending(SleepTicket::new(word, seen)),
                Look::Failed(error) => Poll::Ready(Err(Ended::Failed(error))),
            },
            |(subscription, _), _| {
                self.skip_if_abandoned(subscription.next, liveness);
                if liveness.object_is_removed() {
                    return Some(Checked::Removed(Err(Ended::Failed(ReceiveError::Closed))));
                }
                news().map(|news| Checked::Found(Err(Ended::News(news))))
            },
        );
        let failed = |error| Err(Ended::Failed(error));
        waited.result(|| failed(ReceiveError::TimedOut), |it| failed(ReceiveError::Stopped(it)))
    }

    /// Copies the next message to `into`, which is then initialised, if it is there: also behind
    /// entries that were skipped.
    pub(crate) fn take<I: Intake + ?Sized>(
        self,
        subscription: &mut Subscription,
        into: &mut I,
    ) -> Result<bool, ReceiveError> {
        match self.look(subscription, into) {
            Look::Received => Ok(true),
            Look::Pending(..) | Look::Failed(ReceiveError::Closed) => Ok(false),
            Look::Failed(error) => Err(error),
        }
    }

    /// Copies the next message, or says why not.
    #[inline]
    fn look<I: Intake + ?Sized>(self, subscription: &mut Subscription, into: &mut I) -> Look<'a> {
        for _ in 0..TRIES {
            let sequence = subscription.next;
            let word = self.stamp(sequence);
            match into.take_in(self, sequence, self.protects(subscription)) {
                Ok(()) => {
                    self.pass(subscription, sequence);
                    return Look::Received;
                }
                Err(Miss::Found(stamp)) if is_incomplete(stamp, sequence) => {
                    return match stamp & CLOSED {
                        0 => Look::Pending(word, stamp),
                        _ => Look::Failed(ReceiveError::Closed),
                    };
                }
                Err(Miss::Found(stamp)) if is_skipped(stamp, sequence) => {
                    self.pass(subscription, sequence);
                }
                Err(Miss::Found(stamp)) if !self.catch_up(subscription) => {
                    if subscription.garbage == Some(stamp) {
                        return Look::Pending(word, stamp);
                    }
                    subscription.garbage = Some(stamp);
                    return Look::Failed(ReceiveError::Corrupt);
                }
                Err(Miss::Found(_)) => {}
                Err(Miss::TooLong | Miss::NoBuffer) => {
                    self.pass(subscription, sequence);
                    return Look::Failed(ReceiveError::Corrupt);
                }
                Err(Miss::NoRoom(bytes)) => return Look::Failed(ReceiveError::NoRoom(bytes)),
                // If this process does not see `tail` moved yet, the next look finds the stamp.
                Err(Miss::Overwritten) => _ = self.catch_up(subscription),
            }
        }
        // Publishers are faster. No stamp has this value, so the waiter looks again at once.
        Look::Pending(self.stamp(subscription.next), u64::MAX)
    }

    /// Whether no publisher overwrites the next message before it has passed the subscriber.
    #[inline(always)]
    fn protects(self, subscription: &Subscription) -> bool {
        self.when_full != WhenFull::Overwrite && subscription.next > subscription.joined
    }

    /// Copies the message with a sequence to `into`, which is then initialised.
    ///
    /// Each look also fetches the value's second line early, so that it does not arrive after the
    /// stamp.
    #[inline(always)]
    fn read<P: Place + ?Sized>(
        self,
        sequence: u64,
        is_protected: bool,
        into: &mut P,
    ) -> Result<(), Miss> {
        let Entry { length, value, .. } = self.entry(sequence);
        fetch_early(value, SECOND_LINE);
        self.check_complete(sequence)?;
        let shape = self.shape.shape();
        let bytes = self.bytes_of(length)?;
        let value = if shape.is_buffered() {
            // ORDERING: Relaxed; as the words of a value.
            let buffer = self.number_in(value[0].load(Ordering::Relaxed));
            self.buffer(buffer.ok_or(Miss::NoBuffer)?)
        } else {
            value
        };
        copy_out(value, into.room(bytes).ok_or(Miss::NoRoom(bytes))?);
        if is_protected {
            return Ok(());
        }
        // ORDERING: Acquire; pairs with the Release fence in `write`, which is between `tail`, or
        // the stamp "being written", and the words of the next value.
        fence(Ordering::Acquire);
        if self.is_still_whole(sequence) { Ok(()) } else { Err(Miss::Overwritten) }
    }

    /// Refuses a message that is not complete, or no longer there.
    #[inline(always)]
    pub(super) fn check_complete(self, sequence: u64) -> Result<(), Miss> {
        // ORDERING: Acquire; pairs with the Release in `advance`: the value is seen too.
        let found = self.entry(sequence).stamp.load(Ordering::Acquire);
        let is_complete = found & !MARKS == sequence << STAMP_SHIFT | COMPLETE;
        if is_complete { Ok(()) } else { Err(Miss::Found(found)) }
    }

    /// How many bytes the message of an entry has.
    #[inline(always)]
    pub(super) fn bytes_of(self, length: Option<&AtomicU64>) -> Result<usize, Miss> {
        let shape = self.shape.shape();
        match length {
            // ORDERING: Relaxed; ordered as the words of the value are.
            Some(length) => shape.list_bytes(length.load(Ordering::Relaxed)).ok_or(Miss::TooLong),
            None => Ok(shape.value_bytes),
        }
    }

    /// Whether a message that was complete is not overwritten. After a fence, which orders it after
    /// what was loaded before.
    #[inline(always)]
    pub(super) fn is_still_whole(self, sequence: u64) -> bool {
        match self.when_full {
            WhenFull::Overwrite => {
                let complete = sequence << STAMP_SHIFT | COMPLETE;
                // ORDERING: Relaxed; ordered by the caller's fence.
                self.entry(sequence).stamp.load(Ordering::Relaxed) & !MARKS == complete
            }
            // ORDERING: Relaxed; ordered by the caller's fence.
            _ => self.tail().load(Ordering::Relaxed) >> TAIL_SHIFT < sequence + self.depth,
        }
    }

    /// The subscriber needs no message up to this one any more.
    #[inline(always)]
    fn pass(self, subscription: &mut Subscription, sequence: u64) {
        subscription.next = sequence + 1;
        let slot = subscription.me.slot();
        match self.when_full {
            // No publisher waits for it.
            WhenFull::Overwrite => self.store_cursor(slot, sequence),
            _ => subscription.cursor = self.move_cursor(slot, subscription.cursor, sequence),
        }
    }

    /// Continues with the newer three quarters of the messages, so that publishers do not overtake
    /// the subscriber again at once. False if its message cannot have been overwritten.
    #[cold]
    fn catch_up(self, subscription: &mut Subscription) -> bool {
        let (next, last) = (subscription.next, self.last());
        if last < next + self.depth {
            return false;
        }
        let kept = self.depth - self.depth / 4;
        let mut passed = last - kept;
        if self.when_full != WhenFull::Overwrite {
            // What was published since it joined is still there.
            if next > subscription.joined {
                return false;
            }
            passed = passed.min(subscription.joined);
        }
        // What was published before it joined was never promised.
        let first = next.max(subscription.joined + 1);
        let lost = (passed + 1).saturating_sub(first);
        subscription.lost = subscription.lost.saturating_add(lost);
        self.record_lost(subscription.me.slot(), subscription.lost);
        self.pass(subscription, passed);
        true
    }
}

/// How a wait for a message ended without one.
#[derive(Debug)]
pub(crate) enum Ended<N> {
    Failed(ReceiveError),
    /// The slow check found this.
    News(N),
}

fn is_skipped(stamp: u64, sequence: u64) -> bool {
    stamp >> STAMP_SHIFT == sequence && stamp & STATE == SKIPPED
}
