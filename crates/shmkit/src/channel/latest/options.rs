//! Creating and opening a `Latest`.

use std::borrow::Borrow;

use super::any::AnyLatest;
use super::geometry::{FLAG_SHARED_WRITERS, FLAG_TIMES};
use super::{Latest, LatestObject, sealed};
use crate::error::Result;
use crate::object::{Object, OpenMode, Options, Payload, Planner};
use crate::shareable::{Shareable, check_by_value};

impl<T: Shareable> sealed::Sealed for Latest<T> {}
impl<T: Shareable> LatestObject for Latest<T> {}
impl sealed::Sealed for AnyLatest {}
impl LatestObject for AnyLatest {}

impl<L: LatestObject> Options<L> {
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
        self.choices.kind_flags.choose(FLAG_SHARED_WRITERS, shared_writers);
        self
    }

    /// Sets whether the time at which each value is set is recorded, for
    /// [`age`](Latest::age), [`changed_at`](Latest::changed_at) and
    /// [`get_fresh`](Latest::get_fresh). Default: no.
    ///
    /// Each [`set`](super::LatestWriter::set) then reads the clock: some 30 ns. A
    /// [`get`](Latest::get) costs the same.
    pub fn timestamps(mut self, timestamps: bool) -> Self {
        self.choices.kind_flags.choose(FLAG_TIMES, timestamps);
        self
    }

    /// Sets how many writers there can be at a time, 1 to 1,024. Default: 16. Readers do not count.
    pub fn max_writers(mut self, writers: u32) -> Self {
        self.choices.participants = Some(writers);
        self
    }
}

impl<T: Shareable> Options<Latest<T>> {
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
        let first = |to: &mut Planner<'_>| Latest::<T>::plan(to, None);
        Object::create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }

    /// Creates the object with its first value: a value, a reference or a `Box`. No process sees
    /// the object without a value.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create).
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::Latest;
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let options = Latest::<f64>::options().directory(directory.path());
    /// let level = options.open_or_create_with("tank/level", 0.5)?;
    /// assert_eq!((level.get()?, level.sequence()), (0.5, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn create_with<V: Borrow<T>>(&self, name: &str, first: V) -> Result<Latest<T>> {
        const { check_by_value::<V>(TOO_LARGE) };
        let first = |to: &mut Planner<'_>| Latest::<T>::plan_with(to, first.borrow());
        Object::create_as(name, &self.choices, &(), &first).map(Object::into_payload)
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
        let first = |to: &mut Planner<'_>| Latest::<T>::plan(to, None);
        Object::open_or_create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }

    /// Opens the object, or creates it with its first value if there is none: see
    /// [`open_or_create`](Self::open_or_create) and [`create_with`](Self::create_with). An object
    /// that is there keeps the value that it has, or has none.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create_with<V: Borrow<T>>(&self, name: &str, first: V) -> Result<Latest<T>> {
        const { check_by_value::<V>(TOO_LARGE) };
        let first = |to: &mut Planner<'_>| Latest::<T>::plan_with(to, first.borrow());
        Object::open_or_create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }
}

/// What the compiler says about a first value that would overflow the stack.
const TOO_LARGE: &str = "the first value is larger than 64 KiB: pass a reference or a `Box`";
