//! Receiving messages.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::handle::Handle;
use super::received::Received;
use super::receiving::{InSlot, NotReceived, Receiving};
use crate::channel::message::{Message, Place};
use crate::error::{Error, ErrorKind, Result};
use crate::object::Watched;
use crate::shareable::check_by_value;
use crate::wait::Until;

/// The right to receive messages from a [`Queue`](super::Queue), until it is dropped.
///
/// Threads can share a receiver, and hold any number of messages at a time.
///
/// # If a process dies
///
/// Each message that it received and did not acknowledge goes back to its old place, and to the
/// next receiver: at once on a death notice, or within 50 ms, if a receiver waits. A receiver also
/// looks for such messages before its first message. One that never waits looks after every 1,024
/// messages that it receives, but not again within 25 ms, or within 500 ms where death notices
/// arrive and there was none.
pub struct QueueReceiver<M: Message + ?Sized> {
    pub(super) receiving: Receiving,
    message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> QueueReceiver<M> {
    pub(super) fn join(handle: &Arc<Handle>) -> Result<Self> {
        Ok(Self { receiving: Receiving::join(handle)?, message: PhantomData })
    }

    /// What a source needs.
    pub(super) fn watched(&self) -> (Arc<Handle>, Watched) {
        (self.receiving.party.handle.clone(), self.receiving.party.membership.watched())
    }

    /// Receives the next message, and waits until there is one.
    ///
    /// The message is acknowledged when the returned guard is dropped: see [`Received`].
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed, and the messages that were sent before are received;
    /// `Corrupt` for bytes that are not a message of the type: the message is then set aside;
    /// `OutOfSpace` if there is no memory for a list: it stays in the queue; `Forked`; `RoleLost`;
    /// `Busy` as for [`send`](super::QueueSender::send).
    #[inline]
    pub fn recv(&self) -> Result<Received<'_, M::Owned>> {
        self.receive(|| Until::Ever)
    }

    /// Receives the next message, if there is one.
    ///
    /// # If a process dies
    ///
    /// Messages of dead receivers are found on a death notice, or else 25 ms after the last look
    /// for them: that costs system calls. Other attempts cost none.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&self) -> Result<Option<Received<'_, M::Owned>>> {
        let received = self.receiving.try_receive(|message| self.copied(message))?;
        Ok(received.map(Received::new))
    }

    /// Receives the next message, and waits for it up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`recv`](Self::recv).
    #[inline]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Received<'_, M::Owned>> {
        self.receive(|| Until::after(timeout))
    }

    /// Receives the next message, and waits for it until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`recv_timeout`](Self::recv_timeout).
    #[inline]
    pub fn recv_until(&self, deadline: Instant) -> Result<Received<'_, M::Owned>> {
        self.receive(|| Until::Deadline(deadline))
    }

    /// Returns an iterator that waits for each message. Every error is an item; after `Closed`,
    /// which says that the object was removed, it ends.
    pub fn iter(&self) -> impl Iterator<Item = Result<Received<'_, M::Owned>>> {
        let mut is_closed = false;
        std::iter::from_fn(move || {
            let answer = (!is_closed).then(|| self.recv())?;
            is_closed = answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Closed);
            Some(answer)
        })
    }

    #[inline(always)]
    fn receive(&self, until: impl FnOnce() -> Until) -> Result<Received<'_, M::Owned>> {
        let received = self.receiving.receive(until, |message| self.copied(message))?;
        Ok(Received::new(received))
    }

    /// Copies a message that was taken, and checks it.
    #[inline(always)]
    fn copied(&self, message: InSlot<'_>) -> Result<M::Owned, NotReceived> {
        const {
            if M::MAX_LEN == 0 {
                let instead = "larger than 64 KiB: send where it is, or parts of it";
                check_by_value::<M::Element>(instead);
            }
        };
        let size = size_of::<M::Element>();
        let len = if M::MAX_LEN == 0 { size } else { message.len };
        let mut has_room = true;
        let fill = |place: &mut M::Place| match place.room(len) {
            Some(room) => {
                message.copy_out(room);
                Ok(())
            }
            None => {
                has_room = false;
                Err(invalid())
            }
        };
        M::receive(fill, invalid).map_err(|_| match has_room {
            true => NotReceived::Invalid,
            false => self.receiving.no_memory(len),
        })
    }
}

/// Replaced by the caller: it does not know the object.
#[cold]
fn invalid() -> Error {
    Error::new(ErrorKind::Corrupt, "")
}

impl<M: Message + ?Sized> fmt::Debug for QueueReceiver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QueueReceiver").field(&self.receiving.party.handle.object.label()).finish()
    }
}
