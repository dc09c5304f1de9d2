//! Sending messages.

#![allow(unsafe_code, reason = "room for an encoded value, on the stack")]

use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::handle::Handle;
use super::party::Party;
use super::protocol::{Message, Refused};
use crate::error::{Error, ErrorKind, Result};
use crate::participant::Role;
use crate::shareable::{Shareable, bytes_of};
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
pub struct QueueSender<T: Shareable> {
    party: Party,
    value: PhantomData<fn(T)>,
}

impl<T: Shareable> QueueSender<T> {
    pub(super) fn join(handle: &Arc<Handle>) -> Result<Self> {
        let party = Party::join(handle, Role::Sender, size_of::<T>(), "send to")?;
        Ok(Self { party, value: PhantomData })
    }

    /// Sends a message, and waits while the queue is full. Its priority is 0.
    ///
    /// # If a process dies
    ///
    /// The places of dead senders become free at once, on a death notice, or within 50 ms.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed; `Corrupt`; `Forked`; `RoleLost`; `Busy` if the queue has
    /// priorities, and a process that is using their order has been stopped for more than 1 s.
    #[inline]
    pub fn send(&self, value: &T) -> Result<()> {
        self.send_within(value, 0, || Until::Ever)
    }

    /// Sends a message with a priority, and waits while the queue is full. Messages with higher
    /// priorities are received first.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the queue was created without [`priorities`](crate::Options::priorities)
    /// and the priority is not 0; and those of [`send`](Self::send).
    #[inline]
    pub fn send_with_priority(&self, value: &T, priority: u32) -> Result<()> {
        self.send_within(value, priority, || Until::Ever)
    }

    /// Sends a message if the queue is not full.
    ///
    /// # Errors
    ///
    /// `Full`: the message says how many messages are ready, taken and set aside, and how many
    /// processes receive. And those of [`send`](Self::send).
    #[inline]
    pub fn try_send(&self, value: &T) -> Result<()> {
        self.send_within(value, 0, || Until::Now)
    }

    /// Sends a message with a priority if the queue is not full.
    ///
    /// # Errors
    ///
    /// Those of [`try_send`](Self::try_send) and [`send_with_priority`](Self::send_with_priority).
    #[inline]
    pub fn try_send_with_priority(&self, value: &T, priority: u32) -> Result<()> {
        self.send_within(value, priority, || Until::Now)
    }

    /// Sends a message, and waits up to `timeout` while the queue is full.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with what is in the queue as [`try_send`](Self::try_send) says it; and those of
    /// [`send`](Self::send).
    #[inline]
    pub fn send_timeout(&self, value: &T, timeout: Duration) -> Result<()> {
        self.send_within(value, 0, || Until::after(timeout))
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
        value: &T,
        priority: u32,
        timeout: Duration,
    ) -> Result<()> {
        self.send_within(value, priority, || Until::after(timeout))
    }

    /// Sends a message, and waits while the queue is full, until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`send_timeout`](Self::send_timeout).
    #[inline]
    pub fn send_until(&self, value: &T, deadline: Instant) -> Result<()> {
        self.send_within(value, 0, || Until::Deadline(deadline))
    }

    #[inline(always)]
    fn send_within(&self, value: &T, priority: u32, until: impl FnOnce() -> Until) -> Result<()> {
        let party = &self.party;
        party.membership.check_live()?;
        if priority != 0 && !party.handle.geometry.has_priorities {
            return Err(self.without_priorities(priority));
        }
        with_bytes(value, |value| {
            let message = Message { value, priority };
            match party.handle.queue().send_at_once(party.caller(), message) {
                Ok(true) => Ok(()),
                Ok(false) => self.wait(message, until()),
                Err(refused) => Err(party.refused(refused)),
            }
        })
    }

    #[cold]
    #[inline(never)]
    fn wait(&self, message: Message<'_>, until: Until) -> Result<()> {
        let party = &self.party;
        let _recorded = party.record_wait(until);
        let sent = party.handle.queue().send(party.caller(), message, until);
        sent.map_err(|refused| match refused {
            Refused::TimedOut => {
                let kind = if until == Until::Now { ErrorKind::Full } else { ErrorKind::TimedOut };
                party.failed(kind, party.handle.full())
            }
            refused => party.refused(refused),
        })
    }

    #[cold]
    fn without_priorities(&self, priority: u32) -> Error {
        let why = format!(
            "the message has priority {priority}, but the queue was created without priorities: \
             create it with `priorities(true)`"
        );
        self.party.failed(ErrorKind::Unsupported, why)
    }
}

impl<T: Shareable> fmt::Debug for QueueSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QueueSender").field(&self.party.handle.object.label()).finish()
    }
}

/// Calls `act` with the bytes of a value, in which padding is zeros.
#[inline(always)]
fn with_bytes<T: Shareable, R>(value: &T, act: impl FnOnce(&[u8]) -> R) -> R {
    if let Some(bytes) = bytes_of(value) {
        return act(bytes);
    }
    let mut room = MaybeUninit::<T>::zeroed();
    let first = room.as_mut_ptr().cast::<u8>();
    // SAFETY: `size_of::<T>()` bytes, all of them zero, in `room`, which is not used otherwise.
    let bytes = unsafe { std::slice::from_raw_parts_mut(first, size_of::<T>()) };
    value.encode(bytes);
    act(bytes)
}
