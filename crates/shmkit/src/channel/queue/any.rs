//! A queue whose type only the object knows: for the command, for C and Python.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::counts::QueueCounts;
use super::dead::DeadLetter;
use super::handle::Handle;
use super::party::Party;
use super::payload::plan;
use super::received::Received;
use super::receiving::{InSlot, NotReceived, Receiving};
use super::sender;
use crate::channel::any_message::AnyMessage;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Trust;
use crate::object::{
    Choices, Kind, Name, OpenMode, OpenObject, Planner, ValueType, check_kind, size_and_fingerprint,
};
use crate::participant::Role;
use crate::shareable::{Schema, room_for};
use crate::wait::Until;

/// An open [`Queue`](super::Queue) of a type that is known at run time: the object describes it.
///
/// Messages are bytes: those of a value, which [`schema`](Self::schema) reads and prints, or those
/// of the elements of a list, one after the other. Bytes that are sent or received are checked
/// against the schema.
///
/// # Examples
///
/// ```
/// use shmkit::AnyQueue;
/// use shmkit::shareable::Schema;
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// let options = AnyQueue::options().directory(directory.path()).depth(100).max_len(1_000);
/// let lines = options.create("lines", &Schema::declare("u8")?)?;
/// let (sender, receiver) = (lines.sender()?, lines.receiver()?);
/// sender.send(b"a line", 0, None)?;
/// assert_eq!(**receiver.recv(None)?, *b"a line");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AnyQueue {
    handle: Arc<Handle>,
    messages: Arc<AnyMessage>,
}

impl AnyQueue {
    /// Opens the object in `directory`, or in the default directory.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `WrongKind`, `WrongVersion`, `Corrupt`,
    /// `Busy`.
    pub fn open(directory: Option<&Path>, name: &str, trust: Trust) -> Result<Self> {
        let choices = Choices { directory: directory.map(Into::into), trust, ..Choices::new() };
        let open = || {
            Self::over(OpenObject::open(&Name::new(name)?, &choices, OpenMode::WritableIfAllowed)?)
        };
        open().map_err(|error| error.doing("open").on(name))
    }

    /// Takes over an object, if its schema is that of a queue of some type.
    pub(super) fn over(object: OpenObject) -> Result<Self> {
        let layout = object.layout();
        check_kind(layout.kind, Kind::Queue)?;
        let (messages, flags) = (AnyMessage::of(layout)?, layout.flags);
        let element_bytes = messages.element().size();
        let plan = |to: &mut Planner<'_>| {
            let value = ValueType::Schema(messages.value());
            plan(to.with_flags(flags), value, element_bytes);
        };
        let (size, fingerprint) = size_and_fingerprint(Kind::Queue, layout.counts(), &plan);
        if fingerprint != layout.fingerprint || size > layout.payload_size {
            let why = "its schema is not that of a queue";
            return Err(Error::new(ErrorKind::Corrupt, why));
        }
        let handle = Handle::over(Arc::new(object), element_bytes)?;
        Ok(Self { handle: handle.into(), messages: messages.into() })
    }

    /// Returns the type of its messages; of their elements, if they are lists.
    pub fn schema(&self) -> &Schema {
        self.messages.element()
    }

    /// Returns how many elements a message can have, if messages are lists.
    pub fn max_len(&self) -> Option<u64> {
        self.messages.max_len()
    }

    /// Returns the right to send messages. It takes a slot among the participants.
    ///
    /// # Errors
    ///
    /// Those of [`Queue::sender`](super::Queue::sender).
    pub fn sender(&self) -> Result<AnyQueueSender> {
        Ok(AnyQueueSender { party: sender::join(&self.handle)?, messages: self.messages.clone() })
    }

    /// Returns the right to receive messages. It takes a slot among the participants.
    ///
    /// # Errors
    ///
    /// Those of [`Queue::receiver`](super::Queue::receiver).
    pub fn receiver(&self) -> Result<AnyQueueReceiver> {
        Ok(AnyQueueReceiver {
            receiving: Receiving::join(&self.handle)?,
            messages: self.messages.clone(),
        })
    }

    /// Returns the messages that are set aside, the oldest first: see
    /// [`Queue::dead_letters`](super::Queue::dead_letters).
    ///
    /// # Errors
    ///
    /// `Forked`.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter<Vec<u8>>>> {
        self.handle.dead_letters(|message| checked(&self.messages, message).ok())
    }

    /// Gives back a message that is set aside: see
    /// [`Queue::requeue_dead`](super::Queue::requeue_dead).
    ///
    /// # Errors
    ///
    /// `PermissionDenied` if the object is open for reading only; `Forked`.
    pub fn requeue_dead(&self, number: u64) -> Result<bool> {
        self.handle.change_dead(number, false)
    }

    /// Drops a message that is set aside. Returns whether a message with this number was.
    ///
    /// # Errors
    ///
    /// Those of [`requeue_dead`](Self::requeue_dead).
    pub fn drop_dead(&self, number: u64) -> Result<bool> {
        self.handle.change_dead(number, true)
    }

    /// Returns how many messages the queue can hold.
    pub fn depth(&self) -> u32 {
        self.handle.geometry.depth as u32
    }

    /// Returns whether messages have priorities.
    pub fn has_priorities(&self) -> bool {
        self.handle.geometry.has_priorities
    }

    /// Returns how often a message is handed over before it is set aside, if there is a limit.
    pub fn delivery_limit(&self) -> Option<u32> {
        Some(self.handle.delivery_limit).filter(|limit| *limit > 0)
    }

    /// Counts the messages at this moment. It looks at each slot.
    pub fn counts(&self) -> QueueCounts {
        self.handle.queue().counts()
    }

    /// Counts the messages that wait for a receiver, by priority. It looks at each slot.
    pub fn counts_by_priority(&self) -> BTreeMap<u32, u32> {
        self.handle.queue().counts_by_priority()
    }

    /// Returns how many senders and how many receivers live. It costs a system call for each.
    pub fn count_participants(&self) -> (usize, usize) {
        (self.handle.count_role(Role::Sender), self.handle.count_role(Role::Receiver))
    }

    /// Returns whether this handle, or the one that it is a clone of, created the object.
    pub fn was_created(&self) -> bool {
        self.handle.object.was_created()
    }

    /// Returns the name of the object.
    pub fn name(&self) -> &str {
        self.handle.object.label()
    }
}

impl fmt::Debug for AnyQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyQueue").field(&self.name()).finish()
    }
}

/// The right to send messages to an [`AnyQueue`], until it is dropped.
pub struct AnyQueueSender {
    pub(super) party: Party,
    messages: Arc<AnyMessage>,
}

impl AnyQueueSender {
    /// Sends a message with a priority, and waits while the queue is full: up to `timeout`, or
    /// without a limit if it is `None`.
    ///
    /// The bytes are those of a value, or of any number of elements of a list. Padding is sent as
    /// zeros.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the bytes are not a message of the type, or a list that is too long;
    /// `Full` for a timeout of 0; and those of
    /// [`QueueSender::send_with_priority_timeout`](super::QueueSender::send_with_priority_timeout).
    pub fn send(&self, message: &[u8], priority: u32, timeout: Option<Duration>) -> Result<()> {
        let bytes = self.messages.to_send(message);
        let bytes =
            bytes.map_err(|error| error.doing("send to").on(self.party.handle.object.label()))?;
        let length = bytes.len() as u64 / self.messages.element().size();
        self.party.send(&bytes, length as usize, priority, || until(timeout))
    }
}

impl fmt::Debug for AnyQueueSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyQueueSender").field(&self.party.handle.object.label()).finish()
    }
}

/// The right to receive messages from an [`AnyQueue`], until it is dropped.
pub struct AnyQueueReceiver {
    pub(super) receiving: Receiving,
    messages: Arc<AnyMessage>,
}

impl AnyQueueReceiver {
    /// Receives the bytes of the next message, and waits for it: up to `timeout`, or without a
    /// limit if it is `None`.
    ///
    /// The message is acknowledged when the returned guard is dropped: see [`Received`].
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`QueueReceiver::recv`](super::QueueReceiver::recv).
    pub fn recv(&self, timeout: Option<Duration>) -> Result<Received<'_, Vec<u8>>> {
        let copy = |message: InSlot<'_>| self.copied(message);
        Ok(Received::new(self.receiving.receive(|| until(timeout), copy)?))
    }

    /// Receives the bytes of the next message, if there is one.
    ///
    /// # Errors
    ///
    /// Those of [`QueueReceiver::recv`](super::QueueReceiver::recv).
    pub fn try_recv(&self) -> Result<Option<Received<'_, Vec<u8>>>> {
        let copy = |message: InSlot<'_>| self.copied(message);
        Ok(self.receiving.try_receive(copy)?.map(Received::new))
    }

    fn copied(&self, message: InSlot<'_>) -> Result<Vec<u8>, NotReceived> {
        checked(&self.messages, message).map_err(|error| match error.kind() {
            ErrorKind::OutOfSpace => self.receiving.no_memory(message.len),
            _ => NotReceived::Invalid,
        })
    }
}

impl fmt::Debug for AnyQueueReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyQueueReceiver")
            .field(&self.receiving.party.handle.object.label())
            .finish()
    }
}

fn until(timeout: Option<Duration>) -> Until {
    match timeout {
        None => Until::Ever,
        Some(Duration::ZERO) => Until::Now,
        Some(timeout) => Until::after(timeout),
    }
}

/// The bytes of a message, if they are one of this type.
fn checked(messages: &AnyMessage, message: InSlot<'_>) -> Result<Vec<u8>> {
    let mut bytes = room_for(message.len as u64, 0)?;
    message.copy_to(&mut bytes);
    messages.check(&bytes)?;
    Ok(bytes)
}
