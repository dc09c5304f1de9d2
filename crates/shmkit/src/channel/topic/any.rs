//! A `Topic` whose type this program does not know: for the command, for C and Python.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::geometry::Shape;
use super::handle::{Handle, check_depth};
use super::payload::{plan, shape_of};
use super::publisher::{Patience, UntypedPublisher};
use super::ring::WhenFull;
use super::subscriber::UntypedSubscriber;
use super::{Topic, TopicObject};
use crate::channel::any_message::AnyMessage;
use crate::channel::message::Message;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Trust;
use crate::object::{
    Choices, Kind, Name, NewObject, ObjectLayout, OpenMode, OpenObject, Options, Payload, Planner,
    check_kind, file_flags, new_object, size_and_fingerprint,
};
use crate::shareable::Schema;
use crate::wait::Until;

/// The payload whose constants are those of a `Topic` of any type.
type OfAnyType = Topic<u8>;

/// An open [`Topic`] of a type that is known at run time: the object describes it.
///
/// Messages are bytes, which [`schema`](Self::schema) reads and prints: those of one value, or of
/// the elements of a list, one after the other. All bytes that are returned were checked against
/// the schema.
///
/// # Examples
///
/// ```
/// use shmkit::AnyTopic;
/// use shmkit::shareable::Schema;
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// let options = AnyTopic::options().directory(directory.path()).max_len(1_000);
/// let lines = options.create("log/lines", &Schema::declare("u8")?)?;
/// let mut subscriber = lines.subscriber(0)?;
/// lines.publisher()?.publish(b"started")?;
/// assert_eq!(subscriber.recv()?, b"started");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AnyTopic {
    handle: Arc<Handle>,
    messages: Arc<AnyMessage>,
}

impl AnyTopic {
    /// Returns options other than the defaults: depth, what happens when it is full, directory,
    /// access, lifetime, number of participants.
    pub fn options() -> Options<Self> {
        Options::new()
    }

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

    /// Takes over an object, if its schema is that of a topic of some type.
    fn over(object: OpenObject) -> Result<Self> {
        let layout = object.layout();
        check_kind(layout.kind, Kind::Topic)?;
        let messages = AnyMessage::of(layout)?;
        let shape = shape_of(messages.value(), layout.item_length).filter(|shape| {
            let flags = layout.flags;
            let value = messages.value_type();
            let plan = |to: &mut Planner<'_>| plan(to.with_flags(flags), value, *shape);
            let found = (layout.payload_size, layout.fingerprint);
            size_and_fingerprint(Kind::Topic, layout.counts(), &plan) == found
        });
        let Some(shape) = shape else {
            let why = "its schema is not that of a topic";
            return Err(Error::new(ErrorKind::Corrupt, why));
        };
        let handle = Handle::over(Arc::new(object), shape)?;
        Ok(Self { handle: handle.into(), messages: messages.into() })
    }

    /// Returns the type of its messages, as the object describes it: of each element, if messages
    /// are lists.
    pub fn schema(&self) -> &Schema {
        self.messages.element()
    }

    /// Returns how many elements a message has at most. `None`: each message is one value.
    pub fn max_len(&self) -> Option<u64> {
        self.messages.max_len()
    }

    /// Joins as a publisher: see [`Topic::publisher`].
    ///
    /// # Errors
    ///
    /// Those of [`Topic::publisher`].
    pub fn publisher(&self) -> Result<AnyPublisher> {
        let publisher = UntypedPublisher::join(&self.handle)?;
        Ok(AnyPublisher { publisher, messages: self.messages.clone() })
    }

    /// Joins as a subscriber that first receives up to `history` messages which were published
    /// before: see [`Topic::subscriber_with_history`].
    ///
    /// # Errors
    ///
    /// Those of [`Topic::publisher`].
    pub fn subscriber(&self, history: u32) -> Result<AnySubscriber> {
        let subscriber = UntypedSubscriber::join(&self.handle, history.into())?;
        let (handle, messages) = (self.handle.clone(), self.messages.clone());
        Ok(AnySubscriber { handle, subscriber, messages })
    }

    /// Returns how many messages were published: see [`Topic::sequence`].
    pub fn sequence(&self) -> u64 {
        self.handle.ring(self.handle.shape).last()
    }

    /// Returns how many messages the ring has room for.
    pub fn depth(&self) -> u32 {
        self.handle.depth()
    }

    /// Returns what happens to a message for which there is no room.
    pub fn when_full(&self) -> WhenFull {
        self.handle.when_full
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

impl Options<AnyTopic> {
    /// Makes each message a list of up to so many elements. Default: each message is one value.
    pub fn max_len(mut self, elements: u64) -> Self {
        self.choices.item_length = Some(elements);
        self
    }

    /// Creates a topic whose messages are values of this type, or lists of such values. Programs
    /// open it as a [`Topic`] of the type with the same layout.
    ///
    /// # If a process dies
    ///
    /// A creator that dies leaves a complete object or none.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `InvalidArgument` for a
    /// depth, a value, a length or a number of participants that is out of range; `Unsupported` in
    /// a directory on a network.
    pub fn create(&self, name: &str, schema: &Schema) -> Result<AnyTopic> {
        let create = || {
            let messages = self.messages(schema)?;
            let new = self.new_object(&messages)?;
            let open = OpenObject::create(&Name::new(name)?, &self.choices, &new)?;
            AnyTopic::over(open).map_err(Error::after_creation)
        };
        create().map_err(|error| error.doing("create").on(name))
    }

    /// Opens the topic of this type, or creates it if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create); `WrongKind`, `WrongType`, `WrongOptions` with the first
    /// difference to the object that exists; `WrongVersion`, `Corrupt`, `Busy`.
    pub fn open_or_create(&self, name: &str, schema: &Schema) -> Result<AnyTopic> {
        let open_or_create = || {
            let messages = self.messages(schema)?;
            let fits = |found: &ObjectLayout| {
                check_kind(found.kind, Kind::Topic)?;
                messages.check_same(&AnyMessage::of(found)?)
            };
            let new = || self.new_object(&messages);
            let open = OpenObject::open_or_create(&Name::new(name)?, &self.choices, fits, new)?;
            if open.was_created() {
                return AnyTopic::over(open).map_err(Error::after_creation);
            }
            fits(open.layout())?;
            OfAnyType::check_flags(self.choices.kind_flags, open.layout().flags)?;
            AnyTopic::over(open)
        };
        open_or_create().map_err(|error| error.doing("open or create").on(name))
    }

    fn messages(&self, schema: &Schema) -> Result<AnyMessage> {
        AnyMessage::new(schema, self.choices.item_length)
    }

    fn new_object<'a>(&self, messages: &'a AnyMessage) -> Result<NewObject<'a>> {
        let length = messages.max_len().unwrap_or(0);
        let shape: Shape = shape_of(messages.value(), length).ok_or_else(|| {
            let why = format!("a message of {} bytes", messages.value().size());
            Error::new(ErrorKind::InvalidArgument, why)
        })?;
        let items = self.choices.items.unwrap_or(shape.default_depth());
        check_depth(items)?;
        let flags = file_flags::<OfAnyType>(&self.choices)?;
        let plan = move |planner: &mut Planner<'_>| plan(planner, messages.value_type(), shape);
        Ok(new_object::<OfAnyType>(&self.choices, items, flags, &plan, plan))
    }
}

/// Publishes messages of an [`AnyTopic`]: see [`Publisher`](super::Publisher).
#[derive(Debug)]
pub struct AnyPublisher {
    pub(super) publisher: UntypedPublisher,
    messages: Arc<AnyMessage>,
}

impl AnyPublisher {
    /// Publishes the bytes of a message, with zeros as padding: see
    /// [`Publisher::publish`](super::Publisher::publish).
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the bytes are not a message of the type; `OutOfSpace` if there is no
    /// memory for a copy of a message with padding; and those of
    /// [`Publisher::publish`](super::Publisher::publish).
    pub fn publish(&mut self, message: &[u8]) -> Result<u32> {
        self.publish_with(message, Patience::AsTopic)
    }

    /// Publishes a message, and waits up to `timeout` for room, whatever the topic says. With a
    /// timeout of 0 it does not wait.
    ///
    /// # Errors
    ///
    /// `TimedOut`, or `Full` for a timeout of 0, with the subscriber that is the furthest behind as
    /// [`peer`](Error::peer); and those of [`publish`](Self::publish).
    pub fn publish_timeout(&mut self, message: &[u8], timeout: Duration) -> Result<u32> {
        let until = if timeout.is_zero() { Until::Now } else { Until::after(timeout) };
        self.publish_with(message, Patience::Until(until))
    }

    fn publish_with(&mut self, message: &[u8], patience: Patience) -> Result<u32> {
        let Self { publisher, messages } = self;
        let message = messages.to_send(message);
        let message = message.map_err(|error| publisher.named(error))?;
        publisher.publish(publisher.shape(), &message, patience)
    }

    /// Returns how many messages this publisher dropped, because a subscriber did not keep up.
    pub fn dropped(&self) -> u64 {
        self.publisher.dropped()
    }

    /// Returns how many living subscribers there are. A system call for each.
    ///
    /// # Errors
    ///
    /// `Closed`, `Forked`, `RoleLost`.
    pub fn subscribers(&mut self) -> Result<u32> {
        self.publisher.subscribers()
    }

    /// Reports the death of a subscriber: see
    /// [`Publisher::check_subscribers`](super::Publisher::check_subscribers).
    ///
    /// # Errors
    ///
    /// `PeerDied`, `Closed`, `Forked`, `RoleLost`.
    pub fn check_subscribers(&mut self) -> Result<()> {
        self.publisher.check_subscribers()
    }
}

/// Receives the messages of an [`AnyTopic`]: see [`Subscriber`](super::Subscriber).
#[derive(Debug)]
pub struct AnySubscriber {
    handle: Arc<Handle>,
    pub(super) subscriber: UntypedSubscriber,
    messages: Arc<AnyMessage>,
}

impl AnySubscriber {
    /// Waits for the next message, and returns its bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Subscriber::recv`](super::Subscriber::recv).
    pub fn recv(&mut self) -> Result<Vec<u8>> {
        self.receive(Until::Ever)
    }

    /// Waits for the next message, up to `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Vec<u8>> {
        self.receive(Until::after(timeout))
    }

    /// Waits for the next message, until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`recv`](Self::recv).
    pub fn recv_until(&mut self, deadline: Instant) -> Result<Vec<u8>> {
        self.receive(Until::Deadline(deadline))
    }

    /// Returns the next message if it was already published, without waiting.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Option<Vec<u8>>> {
        match self.receive(Until::Now) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
            answer => answer.map(Some),
        }
    }

    fn receive(&mut self, until: Until) -> Result<Vec<u8>> {
        let Self { handle, subscriber, messages } = self;
        let message = <[u8]>::receive(
            |place| subscriber.receive(handle.shape, place, until),
            || handle.invalid(),
        )?;
        let checked = messages.check(&message);
        checked.map_err(|error| error.doing("receive from").on(handle.object.label()))?;
        Ok(message)
    }

    /// Returns the sequence number of the message that was received last: see
    /// [`Subscriber::sequence`](super::Subscriber::sequence).
    pub fn sequence(&self) -> u64 {
        self.subscriber.sequence()
    }

    /// Returns how many messages were overwritten before this subscriber received them.
    pub fn lost(&self) -> u64 {
        self.subscriber.lost()
    }
}

impl TopicObject for AnyTopic {}
impl super::sealed::Sealed for AnyTopic {}
