//! Creating a queue of a type that is known only at run time.

use super::Queue;
use super::any::AnyQueue;
use super::geometry::{FLAG_LIMIT, FLAG_PRIORITIES, MAX_LIMIT};
use super::options::check_sizes;
use super::payload::{default_depth, plan};
use crate::channel::any_message::AnyMessage;
use crate::error::{Error, Result};
use crate::object::{
    Kind, Name, NewObject, ObjectLayout, OpenObject, Options, Payload, Planner, check_kind,
    file_flags, new_object,
};
use crate::shareable::Schema;

/// The payload whose constants are those of a queue of any type.
type OfAnyType = Queue<u8>;

impl AnyQueue {
    /// Returns options other than the defaults: depth, lists, priorities, limit of deliveries,
    /// directory, access, lifetime.
    pub fn options() -> Options<Self> {
        Options::new()
    }
}

impl Options<AnyQueue> {
    /// Sets how many messages the queue can hold, 1 to 1,048,576. Default: 256; of lists as
    /// many as fit in 1 MiB, from 4 to 256.
    pub fn depth(mut self, depth: u32) -> Self {
        self.choices.items = Some(depth);
        self
    }

    /// Sets whether messages have priorities. Default: no, they are received as they were sent.
    pub fn priorities(mut self, priorities: bool) -> Self {
        self.choices.kind_flags.choose(FLAG_PRIORITIES, priorities);
        self
    }

    /// Sets how often a message is handed to a receiver before it is set aside, up to 32,767.
    /// Default, and with 0: it is handed over as often as it takes.
    pub fn delivery_limit(mut self, deliveries: u32) -> Self {
        self.choices.kind_flags.choose_number(FLAG_LIMIT, deliveries.min(MAX_LIMIT));
        self
    }

    /// Sets how many senders and receivers there can be at a time, 1 to 1,024. Default: 64.
    pub fn max_users(mut self, users: u32) -> Self {
        self.choices.participants = Some(users);
        self
    }

    /// Makes each message a list of up to so many elements, with a length of its own. Default: each
    /// message is one value.
    pub fn max_len(mut self, elements: u64) -> Self {
        self.choices.item_length = Some(elements);
        self
    }

    /// Creates a queue of values of the type, or of lists of them. Programs open it as a [`Queue`]
    /// of the type with the same layout.
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
    pub fn create(&self, name: &str, schema: &Schema) -> Result<AnyQueue> {
        let create = || {
            let messages = AnyMessage::new(schema, self.choices.item_length)?;
            let new = self.new_object(&messages)?;
            let open = OpenObject::create(&Name::new(name)?, &self.choices, &new)?;
            AnyQueue::over(open).map_err(Error::after_creation)
        };
        create().map_err(|error| error.doing("create").on(name))
    }

    /// Opens the queue of this type, or creates it if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create); `WrongKind`, `WrongType`, `WrongOptions` with the first
    /// difference to the object that exists; `WrongVersion`, `Corrupt`, `Busy`.
    pub fn open_or_create(&self, name: &str, schema: &Schema) -> Result<AnyQueue> {
        let open_or_create = || {
            let messages = AnyMessage::new(schema, self.choices.item_length)?;
            let fits = |found: &ObjectLayout| {
                check_kind(found.kind, Kind::Queue)?;
                messages.check_same(&AnyMessage::of(found)?)
            };
            let new = || self.new_object(&messages);
            let open = OpenObject::open_or_create(&Name::new(name)?, &self.choices, fits, new)?;
            if open.was_created() {
                return AnyQueue::over(open).map_err(Error::after_creation);
            }
            fits(open.layout())?;
            OfAnyType::check_flags(self.choices.kind_flags, open.layout().flags)?;
            AnyQueue::over(open)
        };
        open_or_create().map_err(|error| error.doing("open or create").on(name))
    }

    fn new_object<'a>(&self, messages: &'a AnyMessage) -> Result<NewObject<'a>> {
        let element_bytes = messages.element().size();
        let length = messages.max_len().unwrap_or(0);
        check_sizes(self.choices.items, element_bytes, length)?;
        let items = self.choices.items.unwrap_or_else(|| default_depth(element_bytes, length));
        let flags = file_flags::<OfAnyType>(&self.choices)?;
        let plan = move |to: &mut Planner<'_>| plan(to, messages.value_type(), element_bytes);
        Ok(new_object::<OfAnyType>(&self.choices, items, flags, &plan, plan))
    }
}
