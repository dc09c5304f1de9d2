//! Creating and opening a pipe.

use super::Pipe;
use super::places::{MAX_CAPACITY, MIN_CAPACITY};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Object, OpenMode, Options, Payload, Planner};

impl Options<Pipe> {
    /// Sets how many bytes the pipe holds: rounded up to a power of two, from 4 KiB to 1 TiB.
    /// Default: 64 KiB.
    ///
    /// All of it is committed when the pipe is created.
    pub fn capacity(mut self, bytes: u64) -> Self {
        // What is too large stays, and is refused.
        let rounded = bytes.max(MIN_CAPACITY).checked_next_power_of_two();
        self.choices.item_length = Some(rounded.unwrap_or(u64::MAX));
        self
    }

    /// Sets how many writers and readers there can be at a time, 1 to 1,024 together. Default: 64.
    pub fn max_ends(mut self, ends: u32) -> Self {
        self.choices.participants = Some(ends);
        self
    }

    /// Creates the pipe, with all of its space committed.
    ///
    /// # If a process dies
    ///
    /// A creator that dies leaves a complete object or none.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `InvalidArgument` for a
    /// capacity or a number of ends that is too large; `Unsupported` in a directory on a network.
    pub fn create(&self, name: &str) -> Result<Pipe> {
        self.check_capacity().map_err(|error| error.doing("create").on(name))?;
        Object::create_as(name, &self.choices, &(), &plan).map(Object::into_payload)
    }

    /// Opens the pipe. It takes no slot: each writer and each reader does.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`; `WrongKind`, `WrongVersion`, `WrongOptions`
    /// with the first difference; `Corrupt`; `Busy` if other processes keep replacing it.
    pub fn open(&self, name: &str) -> Result<Pipe> {
        Object::open_as(name, &self.choices, OpenMode::WritableIfAllowed).map(Object::into_payload)
    }

    /// Opens the pipe, or creates it if there is none. If several processes call this at once, one
    /// of them creates it: [`Pipe::was_created`] returns whether this one did.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(&self, name: &str) -> Result<Pipe> {
        self.check_capacity().map_err(|error| error.doing("open or create").on(name))?;
        Object::open_or_create_as(name, &self.choices, &(), &plan).map(Object::into_payload)
    }

    fn check_capacity(&self) -> Result<()> {
        match self.choices.item_length {
            Some(asked) if asked > MAX_CAPACITY => {
                let why = "its capacity would be larger than 1 TiB, the largest one";
                Err(Error::new(ErrorKind::InvalidArgument, why))
            }
            _ => Ok(()),
        }
    }
}

fn plan(planner: &mut Planner<'_>) {
    Pipe::plan(planner, None);
}
