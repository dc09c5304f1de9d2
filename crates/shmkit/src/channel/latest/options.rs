//! Creating and opening a `Latest`.

use super::Latest;
use super::geometry::FLAG_SHARED_WRITERS;
use crate::error::Result;
use crate::object::{Object, OpenMode, Options};
use crate::shareable::Shareable;

impl<T: Shareable> Options<Latest<T>> {
    /// Sets whether users other than the owner can only read the object. Default: no.
    ///
    /// Such a reader cannot mark that it sleeps, so a writer makes a system call to wake
    /// readers at every change: 0.4 microseconds for each [`set`](super::LatestWriter::set).
    pub fn read_only_peers(mut self, read_only_peers: bool) -> Self {
        self.choices.read_only_peers = Some(read_only_peers);
        self
    }

    /// Sets whether several writers may [`set`](super::LatestWriter::set) the value in turns.
    /// Default: no, one writer keeps the right for as long as it lives.
    pub fn shared_writers(mut self, shared_writers: bool) -> Self {
        self.choices.kind_flags = Some(if shared_writers { FLAG_SHARED_WRITERS } else { 0 });
        self
    }

    /// Sets how many writers there can be at a time, 1 to 1,024. Default: 16. Readers do not count.
    pub fn max_writers(mut self, writers: u32) -> Self {
        self.choices.participants = Some(writers);
        self
    }

    /// Creates the object, with all of its space committed. It has no value yet.
    ///
    /// # If a process dies
    ///
    /// A creator that dies leaves a complete object or none.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `InvalidArgument` for a
    /// value or a number of writers that is too large; `Unsupported` in a directory on a network.
    pub fn create(&self, name: &str) -> Result<Latest<T>> {
        Object::create_as(name, &self.choices, &()).map(Object::into_payload)
    }

    /// Opens the object for reading and writing, or only for reading if its access requires that.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`; `WrongKind`, `WrongType`, `WrongVersion`,
    /// `WrongOptions` with the first difference; `Corrupt`; `Busy` if other processes keep
    /// replacing it.
    pub fn open(&self, name: &str) -> Result<Latest<T>> {
        Object::open_as(name, &self.choices, OpenMode::WritableIfAllowed).map(Object::into_payload)
    }

    /// Opens the object for reading only: this process cannot write to its memory by mistake.
    ///
    /// Unless the object was created with [`read_only_peers`](Self::read_only_peers), no writer
    /// wakes this reader: it looks for a change at the latest every 50 ms.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_read_only(&self, name: &str) -> Result<Latest<T>> {
        Object::open_as(name, &self.choices, OpenMode::ReadOnly).map(Object::into_payload)
    }

    /// Opens the object, or creates it if there is none. If several processes call this at once,
    /// one of them creates it: [`Latest::was_created`] returns whether this one did.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(&self, name: &str) -> Result<Latest<T>> {
        Object::open_or_create_as(name, &self.choices, &()).map(Object::into_payload)
    }
}
