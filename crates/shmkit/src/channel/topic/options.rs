//! Creating and opening a `Topic`.

use super::geometry::{FLAG_DROP_NEW, FLAG_OVERWRITE};
use super::handle::check_depth;
use super::{Topic, WhenFull};
use crate::error::Result;
use crate::object::{Object, OpenMode, Options, Payload, Planner};
use crate::shareable::Shareable;

impl<T: Shareable> Options<Topic<T>> {
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
    pub fn create(&self, name: &str) -> Result<Topic<T>> {
        self.check_depth("create", name)?;
        let first = |to: &mut Planner<'_>| Topic::<T>::plan(to, None);
        Object::create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }

    /// Opens the object.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`; `WrongKind`, `WrongType`, `WrongVersion`,
    /// `WrongOptions` with the first difference; `Corrupt`; `Busy` if other processes keep
    /// replacing it.
    pub fn open(&self, name: &str) -> Result<Topic<T>> {
        Object::open_as(name, &self.choices, OpenMode::WritableIfAllowed).map(Object::into_payload)
    }

    /// Opens the object, or creates it if there is none. If several processes call this at once,
    /// one of them creates it: [`Topic::was_created`] returns whether this one did.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(&self, name: &str) -> Result<Topic<T>> {
        self.check_depth("open or create", name)?;
        let first = |to: &mut Planner<'_>| Topic::<T>::plan(to, None);
        Object::open_or_create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }
    fn check_depth(&self, action: &'static str, name: &str) -> Result<()> {
        let checked = self.choices.items.map_or(Ok(()), check_depth);
        checked.map_err(|error| error.doing(action).on(name))
    }
}
