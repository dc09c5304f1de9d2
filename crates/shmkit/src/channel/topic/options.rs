//! Creating and opening a `Topic`.

use super::geometry::{FLAG_DROP_NEW, FLAG_OVERWRITE, FLAG_SPARE, TypeShape};
use super::handle::check_depth;
use super::{Topic, TopicObject, WhenFull, sealed};
use crate::channel::message::Message;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Object, OpenMode, Options, Payload, Planner};
use crate::shareable::Shareable;

impl<M: Message + ?Sized> sealed::Sealed for Topic<M> {}
impl<M: Message + ?Sized> TopicObject for Topic<M> {}

impl<O: TopicObject> Options<O> {
    /// Sets how many messages the ring has room for, 1 to 1,048,576, rounded up to a power of two.
    /// Default: see [`Topic`](Topic#memory).
    ///
    /// A subscriber can be this many messages behind before the topic is full.
    pub fn depth(mut self, messages: u32) -> Self {
        // 0 and what is too large stay as they are, and are refused.
        let rounded = messages.max(1).checked_next_power_of_two().unwrap_or(messages);
        self.choices.items = Some(if messages == 0 { 0 } else { rounded });
        self
    }

    /// Sets what happens to a message for which there is no room, because a subscriber did not keep
    /// up. Default: [`WhenFull::Block`].
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        let flags = &mut self.choices.kind_flags;
        flags.choose(FLAG_DROP_NEW, when_full == WhenFull::DropNew);
        flags.choose(FLAG_OVERWRITE, when_full == WhenFull::Overwrite);
        self
    }

    /// Sets how many buffers there are for messages of more than 4 KiB, besides one for each entry
    /// of the ring: 1 to 1,023. Default: 8.
    ///
    /// Each publisher uses one, and one more while it has a [loan](super::Publisher::loan); each
    /// [sample](super::Sample) that a subscriber holds longer than its message is in the ring uses
    /// one. If there is none, publishing and loaning fail with `Full`.
    pub fn spare_buffers(mut self, buffers: u32) -> Self {
        self.choices.kind_flags.choose_number(FLAG_SPARE, buffers.clamp(1, 1_023));
        self
    }
}

impl<M: Message + ?Sized> Options<Topic<M>> {
    /// Creates the object, with all of its space committed.
    ///
    /// # If a process dies
    ///
    /// A creator that dies leaves a complete object or none.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `InvalidArgument` for a
    /// depth, a value or a number of participants that is out of range; `Unsupported` in a
    /// directory on a network.
    pub fn create(&self, name: &str) -> Result<Topic<M>> {
        self.check_sizes("create", name)?;
        let first = |to: &mut Planner<'_>| Topic::<M>::plan(to, None);
        Object::create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }

    /// Opens the object.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`; `WrongKind`, `WrongType`, `WrongVersion`,
    /// `WrongOptions` with the first difference; `Corrupt`; `Busy` if other processes keep
    /// replacing it.
    pub fn open(&self, name: &str) -> Result<Topic<M>> {
        Object::open_as(name, &self.choices, OpenMode::WritableIfAllowed).map(Object::into_payload)
    }

    /// Opens the object, or creates it if there is none. If several processes call this at once,
    /// one of them creates it: [`Topic::was_created`] returns whether this one did.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(&self, name: &str) -> Result<Topic<M>> {
        self.check_sizes("open or create", name)?;
        let first = |to: &mut Planner<'_>| Topic::<M>::plan(to, None);
        Object::open_or_create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }

    fn check_sizes(&self, action: &'static str, name: &str) -> Result<()> {
        let length = self.choices.item_length.unwrap_or(M::MAX_LEN);
        let depth = self.choices.items.map_or(Ok(()), check_depth);
        let checked = depth.and_then(|()| match TypeShape::<M>::of_length(length) {
            Some(_) => Ok(()),
            None => {
                let element = size_of::<M::Element>();
                let why = format!("a `max_len` of {length} elements of {element} bytes");
                Err(Error::new(ErrorKind::InvalidArgument, why))
            }
        });
        checked.map_err(|error| error.doing(action).on(name))
    }
}

impl<T: Shareable> Options<Topic<[T]>> {
    /// Sets how many elements a message has at most. Default: as many as there is room for in
    /// 4 KiB, and at least 1.
    ///
    /// Each entry of the ring has room for so many. A message can have fewer, or none.
    pub fn max_len(mut self, elements: usize) -> Self {
        self.choices.item_length = Some(elements as u64);
        self
    }
}
