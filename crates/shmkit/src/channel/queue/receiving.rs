//! Receiving the bytes of a message, whatever their type is.

use std::mem::MaybeUninit;
use std::sync::Arc;

use super::geometry::Geometry;
use super::handle::Handle;
use super::party::Party;
use super::protocol::{QueueWords, Refused};
use super::received::Taken;
use super::slots::Slot;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::memory::copy::{copy_out, copy_part};
use crate::participant::{Liveness, Role};
use crate::wait::Until;

/// After every so many messages, a receiver that never waits looks for those that dead receivers
/// left, if a check is due.
const LOOKS_EVERY: u64 = 1_024;

/// A participant that receives.
pub(super) struct Receiving {
    pub(super) party: Party,
    /// How many messages were received since the last look for dead participants, about.
    received: AtomicU64,
}

/// The bytes of a message that was taken, in its slot.
#[derive(Clone, Copy)]
pub(super) struct InSlot<'a> {
    slot: Slot<'a>,
    /// How many bytes the message has: whole elements, and not more than the slot has room for.
    pub(super) len: usize,
}

impl<'a> InSlot<'a> {
    /// The message in a slot. `None` if the slot says that it is longer than the longest one.
    #[inline(always)]
    pub(super) fn new(slot: Slot<'a>, geometry: Geometry) -> Option<Self> {
        // The length is read once: another process may change it meanwhile.
        Some(Self { slot, len: geometry.bytes_of(slot.length())? })
    }

    /// Copies the message. After this `into`, which has its length, is initialised.
    #[inline(always)]
    pub(super) fn copy_out(self, into: &mut [MaybeUninit<u8>]) {
        copy_out(self.slot.value(), into);
    }

    /// Copies the message to as many bytes as it has.
    pub(super) fn copy_to(self, into: &mut [u8]) {
        copy_part(self.slot.value(), 0, into);
    }

    /// Its words.
    pub(super) fn words(self) -> &'a [AtomicU64] {
        self.slot.value()
    }
}

/// Why a message was not received.
pub(super) enum NotReceived {
    /// The bytes are not a message of the type: it is set aside.
    Invalid,
    /// The message stays where it was, as if it had not been taken.
    Stays(Error),
}

impl Receiving {
    pub(super) fn join(handle: &Arc<Handle>) -> Result<Self> {
        let bytes = handle.geometry.message_bytes as usize;
        let party = Party::join(handle, Role::Receiver, bytes, "receive from")?;
        // It looks before its first message. So it begins with what receivers that are dead left:
        // a worker that is started again, with the job at which it died.
        Ok(Self { party, received: AtomicU64::new(LOOKS_EVERY - 1) })
    }

    /// Receives the next message, if there is one, as what `copy` makes of it.
    ///
    /// It makes the slow check only when that is due: so an attempt that finds nothing is cheap.
    #[inline(always)]
    pub(super) fn try_receive<V>(
        &self,
        copy: impl FnOnce(InSlot<'_>) -> Result<V, NotReceived>,
    ) -> Result<Option<(Taken<'_>, V)>> {
        let party = &self.party;
        party.membership.check_live()?;
        let queue = party.handle.queue();
        if self.is_due() {
            self.look_for_the_dead(queue);
        }
        let found = match queue.try_receive(party.caller()) {
            Ok(Some(number)) => Some(number),
            Ok(None) => self.look_again(queue)?,
            Err(refused) => return Err(party.refused(refused)),
        };
        found.map(|number| self.received(queue, number, copy)).transpose()
    }

    /// Receives the next message, as what `copy` makes of it, and waits for it.
    #[inline(always)]
    pub(super) fn receive<V>(
        &self,
        until: impl FnOnce() -> Until,
        copy: impl FnOnce(InSlot<'_>) -> Result<V, NotReceived>,
    ) -> Result<(Taken<'_>, V)> {
        let party = &self.party;
        party.membership.check_live()?;
        let queue = party.handle.queue();
        if self.is_due() {
            self.look_for_the_dead(queue);
        }
        match queue.try_receive(party.caller()) {
            Ok(Some(number)) => self.received(queue, number, copy),
            Ok(None) => self.received(queue, self.wait(until())?, copy),
            Err(refused) => Err(party.refused(refused)),
        }
    }

    /// What an attempt does that found nothing: the slow check, if that is due, and one more look.
    #[cold]
    #[inline(never)]
    fn look_again(&self, queue: QueueWords<'_>) -> Result<Option<usize>> {
        let party = &self.party;
        let is_removed = self.look_for_the_dead(queue);
        // Looked at before the messages: what was sent before the object was retired is received.
        let is_closed = is_removed || queue.is_closed();
        match queue.try_receive(party.caller()) {
            Ok(None) if is_closed => Err(party.refused(Refused::Closed)),
            found => found.map_err(|refused| party.refused(refused)),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait(&self, until: Until) -> Result<usize> {
        let party = &self.party;
        let _recorded = party.record_wait(until);
        let found = party.handle.queue().receive(party.caller(), until);
        found.map_err(|refused| match refused {
            Refused::TimedOut => {
                let why = "no message was sent before the timeout expired";
                party.failed(ErrorKind::TimedOut, why)
            }
            refused => party.refused(refused),
        })
    }

    /// Copies a message that was taken.
    #[inline(always)]
    fn received<V>(
        &self,
        queue: QueueWords<'_>,
        number: usize,
        copy: impl FnOnce(InSlot<'_>) -> Result<V, NotReceived>,
    ) -> Result<(Taken<'_>, V)> {
        let party = &self.party;
        let me = party.membership.me();
        let Some(slot) = queue.slots.get(number) else {
            return Err(party.refused(Refused::Corrupt));
        };
        let info = slot.info();
        let message = InSlot::new(slot, party.handle.geometry);
        let copied = message.ok_or(NotReceived::Invalid).and_then(copy);
        if !slot.is_taken_by(me) {
            return Err(party.lost());
        }
        match copied {
            Ok(value) => Ok((Taken::new(party, number, info), value)),
            Err(NotReceived::Invalid) => {
                queue.reject(number, me);
                Err(self.invalid())
            }
            Err(NotReceived::Stays(error)) => {
                queue.put_back(number, me);
                Err(error)
            }
        }
    }

    /// Counts a message. Returns whether it is time to look for dead participants.
    #[inline(always)]
    fn is_due(&self) -> bool {
        // ORDERING: Relaxed; a count that may be wrong if several threads count.
        let count = self.received.load(Ordering::Relaxed) + 1;
        // ORDERING: Relaxed; as above.
        self.received.store(count, Ordering::Relaxed);
        count.is_multiple_of(LOOKS_EVERY)
    }

    /// Makes the slow check if it is due. Returns whether it found that the object was removed.
    #[cold]
    #[inline(never)]
    fn look_for_the_dead(&self, queue: QueueWords<'_>) -> bool {
        let Party { membership, wait_loop, .. } = &self.party;
        wait_loop.take_due_check(membership.notices()).is_some_and(|extent| {
            queue.sweep(extent, membership);
            membership.object_is_removed()
        })
    }

    #[cold]
    fn invalid(&self) -> Error {
        let why = "the bytes are not a message of the type: another process wrote something else; \
                   the message is set aside";
        self.party.failed(ErrorKind::Corrupt, why)
    }

    /// The error for a message that is longer than the caller's room for it, in elements.
    #[cold]
    pub(super) fn does_not_fit(&self, len: usize, room: usize) -> NotReceived {
        let why = format!(
            "the next message has {len} elements, and there is room for {room}: it stays in the \
             queue"
        );
        NotReceived::Stays(self.party.failed(ErrorKind::BufferTooSmall, why).needing(len))
    }

    /// The error for a message for which there is no memory.
    #[cold]
    pub(super) fn no_memory(&self, bytes: usize) -> NotReceived {
        let why = format!(
            "there is no memory for the next message, which has {bytes} bytes: it stays in the \
             queue"
        );
        NotReceived::Stays(self.party.failed(ErrorKind::OutOfSpace, why))
    }
}
