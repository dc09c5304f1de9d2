//! Receiving messages.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::handle::Handle;
use super::party::Party;
use super::protocol::{QueueWords, Refused};
use super::received::Received;
use crate::channel::latest::receive;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::memory::copy::copy_out;
use crate::participant::{Liveness, Role};
use crate::shareable::{Shareable, check_by_value};
use crate::wait::Until;

/// After every so many messages, a receiver that never waits looks for those that dead receivers
/// left, if a check is due.
const LOOKS_EVERY: u64 = 1_024;

/// The right to receive messages from a [`Queue`](super::Queue), until it is dropped.
///
/// Threads can share a receiver, and hold any number of messages at a time.
///
/// # If a process dies
///
/// Each message that it received and did not acknowledge goes back to its old place, and to the
/// next receiver: at once on a death notice, or within 50 ms, if a receiver waits. A receiver that
/// never waits looks for such messages after every 1,024 messages that it receives, but not again
/// within 25 ms, or within 500 ms where death notices arrive and there was none.
pub struct QueueReceiver<T: Shareable> {
    party: Party,
    /// How many messages were received since the last look for dead participants, about.
    received: AtomicU64,
    value: PhantomData<fn() -> T>,
}

impl<T: Shareable> QueueReceiver<T> {
    pub(super) fn join(handle: &Arc<Handle>) -> Result<Self> {
        let party = Party::join(handle, Role::Receiver, size_of::<T>(), "receive from")?;
        Ok(Self { party, received: AtomicU64::new(0), value: PhantomData })
    }

    /// Receives the next message, and waits until there is one.
    ///
    /// The message is acknowledged when the returned guard is dropped: see [`Received`].
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed, and the messages that were sent before are received;
    /// `Corrupt` for bytes that are not a value of the type: the message is then set aside;
    /// `Forked`; `RoleLost`; `Busy` as for [`send`](super::QueueSender::send).
    #[inline]
    pub fn recv(&self) -> Result<Received<'_, T>> {
        self.receive(|| Until::Ever)
    }

    /// Receives the next message, if there is one.
    ///
    /// # If a process dies
    ///
    /// Messages of dead receivers are found on a death notice, or else 25 ms after the last look
    /// for them: that costs system calls.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&self) -> Result<Option<Received<'_, T>>> {
        match self.receive(|| Until::Now) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
            received => received.map(Some),
        }
    }

    /// Receives the next message, and waits for it up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`recv`](Self::recv).
    #[inline]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Received<'_, T>> {
        self.receive(|| Until::after(timeout))
    }

    /// Receives the next message, and waits for it until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`recv_timeout`](Self::recv_timeout).
    #[inline]
    pub fn recv_until(&self, deadline: Instant) -> Result<Received<'_, T>> {
        self.receive(|| Until::Deadline(deadline))
    }

    /// Returns an iterator that waits for each message. Every error is an item; after `Closed`,
    /// which says that the object was removed, it ends.
    pub fn iter(&self) -> impl Iterator<Item = Result<Received<'_, T>>> {
        let mut is_closed = false;
        std::iter::from_fn(move || {
            let answer = (!is_closed).then(|| self.recv())?;
            is_closed = answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Closed);
            Some(answer)
        })
    }

    #[inline(always)]
    fn receive(&self, until: impl FnOnce() -> Until) -> Result<Received<'_, T>> {
        const { check_by_value::<T>("larger than 64 KiB: send where it is, or parts of it") };
        let party = &self.party;
        party.membership.check_live()?;
        let queue = party.handle.queue();
        if self.is_due() {
            self.look_for_the_dead(queue);
        }
        match queue.try_receive(party.caller()) {
            Ok(Some(number)) => self.received(queue, number),
            Ok(None) => self.received(queue, self.wait(until())?),
            Err(refused) => Err(party.refused(refused)),
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

    /// Copies a message that was taken, and checks it.
    #[inline(always)]
    fn received(&self, queue: QueueWords<'_>, number: usize) -> Result<Received<'_, T>> {
        let party = &self.party;
        let Some(slot) = queue.slots.get(number) else {
            return Err(party.refused(Refused::Corrupt));
        };
        let info = slot.info();
        let copied = receive::value(
            |bytes| {
                copy_out(slot.value(), bytes);
                Ok(())
            },
            || self.invalid(),
        );
        if !slot.is_taken_by(party.membership.me()) {
            return Err(party.lost());
        }
        match copied {
            Ok(value) => Ok(Received::new(party, number, info, value)),
            Err(error) => {
                queue.reject(number, party.membership.me());
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

    #[cold]
    #[inline(never)]
    fn look_for_the_dead(&self, queue: QueueWords<'_>) {
        let Party { membership, wait_loop, .. } = &self.party;
        if let Some(extent) = wait_loop.take_due_check(membership.notices()) {
            queue.sweep(extent, membership);
        }
    }

    #[cold]
    fn invalid(&self) -> Error {
        let why = "the bytes are not a value of the type: another process wrote something else; \
                   the message is set aside";
        self.party.failed(ErrorKind::Corrupt, why)
    }
}

impl<T: Shareable> fmt::Debug for QueueReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QueueReceiver").field(&self.party.handle.object.label()).finish()
    }
}
