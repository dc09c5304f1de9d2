//! Creating and opening a queue.

use super::Queue;
use super::geometry::{
    FLAG_LIMIT, FLAG_PRIORITIES, Geometry, MAX_DEPTH, MAX_LIMIT, MAX_MESSAGE_BYTES,
};
use crate::channel::message::Message;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Object, OpenMode, Options, Payload, Planner};
use crate::shareable::Shareable;

impl<M: Message + ?Sized> Options<Queue<M>> {
    /// Sets how many messages the queue can hold, 1 to 1,048,576: those that wait, those that
    /// receivers have, and those that are set aside. Default: 256; of lists as many as fit in
    /// 1 MiB, from 4 to 256.
    pub fn depth(mut self, depth: u32) -> Self {
        self.choices.items = Some(depth);
        self
    }

    /// Sets whether messages have priorities. Default: no, they are received as they were sent.
    ///
    /// With priorities, senders and receivers use the order of messages one at a time: a message
    /// costs some more time, and if a process is stopped just then, the others wait for it.
    pub fn priorities(mut self, priorities: bool) -> Self {
        self.choices.kind_flags.choose(FLAG_PRIORITIES, priorities);
        self
    }

    /// Sets how often a message is handed to a receiver before it is set aside, up to 32,767: a
    /// message that is given back after so many deliveries, or whose receiver then dies, goes to
    /// [`dead_letters`](Queue::dead_letters). Default, and with 0: it is handed over as often as it
    /// takes.
    pub fn delivery_limit(mut self, deliveries: u32) -> Self {
        self.choices.kind_flags.choose_number(FLAG_LIMIT, deliveries.min(MAX_LIMIT));
        self
    }

    /// Sets how many senders and receivers there can be at a time, 1 to 1,024. Default: 64.
    pub fn max_users(mut self, users: u32) -> Self {
        self.choices.participants = Some(users);
        self
    }
}

impl<T: Shareable> Options<Queue<[T]>> {
    /// Sets how many elements a message has at most. Default: as many as there is room for in
    /// 4 KiB, and at least 1.
    ///
    /// Each place in the queue has room for so many. A message can have fewer, or none.
    pub fn max_len(mut self, elements: usize) -> Self {
        self.choices.item_length = Some(elements as u64);
        self
    }
}

impl<M: Message + ?Sized> Options<Queue<M>> {
    /// Creates the queue, with all of its space committed. It is empty.
    ///
    /// # If a process dies
    ///
    /// A creator that dies leaves a complete object or none.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `InvalidArgument` for a
    /// depth, a length or a number of participants that is out of its range; `Unsupported` in a
    /// directory on a network.
    pub fn create(&self, name: &str) -> Result<Queue<M>> {
        self.check_message().map_err(|error| error.doing("create").on(name))?;
        let first = |to: &mut Planner<'_>| Queue::<M>::plan(to, None);
        Object::create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }

    /// Opens the queue.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`; `WrongKind`, `WrongType`, `WrongVersion`,
    /// `WrongOptions` with the first difference; `Corrupt`; `Busy` if other processes keep
    /// replacing it.
    pub fn open(&self, name: &str) -> Result<Queue<M>> {
        Object::open_as(name, &self.choices, OpenMode::WritableIfAllowed).map(Object::into_payload)
    }

    /// Opens the queue, or creates it if there is none. If several processes call this at once, one
    /// of them creates it: [`Queue::was_created`] returns whether this one did.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(&self, name: &str) -> Result<Queue<M>> {
        self.check_message().map_err(|error| error.doing("open or create").on(name))?;
        let first = |to: &mut Planner<'_>| Queue::<M>::plan(to, None);
        Object::open_or_create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }

    fn check_message(&self) -> Result<()> {
        let length = self.choices.item_length.unwrap_or(M::MAX_LEN);
        if M::MAX_LEN > 0 && length == 0 {
            let why = "a `max_len` of 0 was asked for; 1 or more are allowed";
            return Err(Error::new(ErrorKind::InvalidArgument, why));
        }
        check_sizes(self.choices.items, size_of::<M::Element>() as u64, length)
    }
}

/// Refuses a depth that no queue has, and messages of so many bytes, or lists of up to `length`
/// elements of so many, if that is not 0.
pub(super) fn check_sizes(depth: Option<u32>, value_bytes: u64, length: u64) -> Result<()> {
    let depth = depth.unwrap_or(1);
    let why = if !(1..=MAX_DEPTH).contains(&depth) {
        format!("a depth of {depth} was asked for; 1 to {MAX_DEPTH} are allowed")
    } else if Geometry::of(value_bytes, length, depth, 0).is_none() {
        let most = MAX_MESSAGE_BYTES >> 40;
        format!("a message of {length} elements of {value_bytes} bytes is above {most} TiB")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidArgument, why))
}
