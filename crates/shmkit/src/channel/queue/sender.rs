//! Sending messages.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::handle::Handle;
use super::party::Party;
use crate::channel::message::{Message, check_len};
use crate::channel::sent::with_bytes;
use crate::error::Result;
use crate::participant::Role;
use crate::wait::Until;

/// The right to send messages to a [`Queue`](super::Queue), until it is dropped.
///
/// Threads can share a sender. Messages that one thread sends, one after the other, are received in
/// this order within a priority.
///
/// # If a process dies
///
/// A process that dies during a call has sent the message, whole, or not at all. What it sent
/// before stays in the queue.
pub struct QueueSender<M: Message + ?Sized> {
    pub(super) party: Party,
    message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> QueueSender<M> {
    pub(super) fn join(handle: &Arc<Handle>) -> Result<Self> {
        Ok(Self { party: join(handle)?, message: PhantomData })
    }

    /// Sends a message, and waits while the queue is full. Its priority is 0.
    ///
    /// # If a process dies
    ///
    /// The places of dead senders become free at once, on a death notice, or within 50 ms.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed; `InvalidArgument` for a list with more elements than
    /// [`Queue::max_len`](super::Queue::max_len); `Corrupt`; `Forked`; `RoleLost`; `Busy` if the
    /// queue has priorities, and a process that is using their order has been stopped for more than
    /// 1 s.
    #[inline]
    pub fn send(&self, message: &M) -> Result<()> {
        self.send_within(message, 0, || Until::Ever)
    }

    /// Sends a message with a priority, and waits while the queue is full. Messages with higher
    /// priorities are received first.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the queue was created without [`priorities`](crate::Options::priorities)
    /// and the priority is not 0; and those of [`send`](Self::send).
    #[inline]
    pub fn send_with_priority(&self, message: &M, priority: u32) -> Result<()> {
        self.send_within(message, priority, || Until::Ever)
    }

    /// Sends a message if the queue is not full.
    ///
    /// # Errors
    ///
    /// `Full`: the message says how many messages are ready, taken and set aside, and how many
    /// processes receive. And those of [`send`](Self::send).
    #[inline]
    pub fn try_send(&self, message: &M) -> Result<()> {
        self.send_within(message, 0, || Until::Now)
    }

    /// Sends a message with a priority if the queue is not full.
    ///
    /// # Errors
    ///
    /// Those of [`try_send`](Self::try_send) and [`send_with_priority`](Self::send_with_priority).
    #[inline]
    pub fn try_send_with_priority(&self, message: &M, priority: u32) -> Result<()> {
        self.send_within(message, priority, || Until::Now)
    }

    /// Sends a message, and waits up to `timeout` while the queue is full.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with what is in the queue as [`try_send`](Self::try_send) says it; and those of
    /// [`send`](Self::send).
    #[inline]
    pub fn send_timeout(&self, message: &M, timeout: Duration) -> Result<()> {
        self.send_within(message, 0, || Until::after(timeout))
    }

    /// Sends a message with a priority, and waits up to `timeout` while the queue is full.
    ///
    /// # Errors
    ///
    /// Those of [`send_timeout`](Self::send_timeout) and
    /// [`send_with_priority`](Self::send_with_priority).
    #[inline]
    pub fn send_with_priority_timeout(
        &self,
        message: &M,
        priority: u32,
        timeout: Duration,
    ) -> Result<()> {
        self.send_within(message, priority, || Until::after(timeout))
    }

    /// Sends a message, and waits while the queue is full, until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`send_timeout`](Self::send_timeout).
    #[inline]
    pub fn send_until(&self, message: &M, deadline: Instant) -> Result<()> {
        self.send_within(message, 0, || Until::Deadline(deadline))
    }

    #[inline(always)]
    fn send_within(&self, message: &M, priority: u32, until: impl FnOnce() -> Until) -> Result<()> {
        let (party, length) = (&self.party, message.elements().len());
        if M::MAX_LEN > 0 {
            let checked = check_len(length, party.handle.object.layout().item_length);
            checked.map_err(|error| error.doing("send to").on(party.handle.object.label()))?;
        }
        with_bytes(message, |bytes| party.send(bytes, length, priority, until))
    }
}

impl<M: Message + ?Sized> fmt::Debug for QueueSender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QueueSender").field(&self.party.handle.object.label()).finish()
    }
}

/// Takes a slot as a sender.
pub(super) fn join(handle: &Arc<Handle>) -> Result<Party> {
    Party::join(handle, Role::Sender, handle.geometry.message_bytes as usize, "send to")
}
