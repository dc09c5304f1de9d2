//! Creating and opening a queue.

use super::Queue;
use super::geometry::{FLAG_LIMIT, FLAG_PRIORITIES, MAX_DEPTH, MAX_LIMIT};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Object, OpenMode, Options, Payload, Planner};
use crate::shareable::Shareable;

impl<T: Shareable> Options<Queue<T>> {
    /// Sets how many messages the queue can hold, 1 to 1,048,576: those that wait, those that
    /// receivers have, and those that are set aside. Default: 256.
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

    /// Creates the queue, with all of its space committed. It is empty.
    ///
    /// # If a process dies
    ///
    /// A creator that dies leaves a complete object or none.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `InvalidArgument` for a
    /// depth or a number of participants that is out of its range; `Unsupported` in a directory on
    /// a network.
    pub fn create(&self, name: &str) -> Result<Queue<T>> {
        self.check_depth().map_err(|error| error.doing("create").on(name))?;
        let first = |to: &mut Planner<'_>| Queue::<T>::plan(to, None);
        Object::create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }

    /// Opens the queue.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`; `WrongKind`, `WrongType`, `WrongVersion`,
    /// `WrongOptions` with the first difference; `Corrupt`; `Busy` if other processes keep
    /// replacing it.
    pub fn open(&self, name: &str) -> Result<Queue<T>> {
        Object::open_as(name, &self.choices, OpenMode::WritableIfAllowed).map(Object::into_payload)
    }

    /// Opens the queue, or creates it if there is none. If several processes call this at once, one
    /// of them creates it: [`Queue::was_created`] returns whether this one did.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(&self, name: &str) -> Result<Queue<T>> {
        self.check_depth().map_err(|error| error.doing("open or create").on(name))?;
        let first = |to: &mut Planner<'_>| Queue::<T>::plan(to, None);
        Object::open_or_create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }

    fn check_depth(&self) -> Result<()> {
        match self.choices.items {
            Some(depth) if !(1..=MAX_DEPTH).contains(&depth) => {
                let why = format!("a depth of {depth} was asked for; 1 to {MAX_DEPTH} are allowed");
                Err(Error::new(ErrorKind::InvalidArgument, why))
            }
            _ => Ok(()),
        }
    }
}
