//! How a `Latest` is made, and found.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use super::Latest;
use super::handle::{self, Asked, Handle};
use crate::error::{Error, Result};
use crate::memory::{Access, Trust};
use crate::object::{Lifetime, Name, OpenMode, Options};
use crate::shareable::{Schema, Shareable};

/// Choices for a [`Latest`], made before it is created or opened.
///
/// What is not chosen has its default when the object is created, and is taken as it is when the
/// object is opened. What is chosen must be so: an object with another option is refused.
///
/// # Examples
///
/// ```
/// use shmkit::{Access, Latest, Lifetime};
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// let level = Latest::<f64>::options()
///     .directory(directory.path())
///     .lifetime(Lifetime::WhileUsed)
///     .access(Access::Everyone)
///     .read_only_peers(true)
///     .open_or_create("tank/level")?;
/// # drop(level);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LatestOptions<T: Shareable> {
    options: Options,
    shared_writers: Option<bool>,
    values: PhantomData<fn() -> T>,
}

impl<T: Shareable> LatestOptions<T> {
    pub(super) const fn new() -> Self {
        Self { options: Options::new(), shared_writers: None, values: PhantomData }
    }

    /// The directory in which the object is. Default: what the environment's `SHMKIT_DIR` says,
    /// else the system's place for memory, `/dev/shm`.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.directory = Some(directory.into());
        self
    }

    /// Who may use it. Default: [`Access::Owner`].
    pub fn access(mut self, access: Access) -> Self {
        self.options.access = Some(access);
        self
    }

    /// How long it stays. Default: [`Lifetime::Persistent`].
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.options.lifetime = Some(lifetime);
        self
    }

    /// Whether others than its owner may only read it. Default: no.
    ///
    /// Such a reader cannot say that it sleeps, so a writer asks the system to wake at every
    /// change: 0.4 microseconds for each [`set`](super::LatestWriter::set).
    pub fn read_only_peers(mut self, read_only_peers: bool) -> Self {
        self.options.read_only_peers = Some(read_only_peers);
        self
    }

    /// Whether several may write, each [`set`](super::LatestWriter::set) in turn. Default: no, one
    /// writes as long as it lives.
    pub fn shared_writers(mut self, shared_writers: bool) -> Self {
        self.shared_writers = Some(shared_writers);
        self
    }

    /// How many writers there can be at a time, 1 to 1,024. Default: 16. Readers do not count.
    pub fn max_writers(mut self, writers: u32) -> Self {
        self.options.participants = Some(writers);
        self
    }

    /// Whose object is opened. Default: [`Trust::Own`].
    pub fn trust(mut self, trust: Trust) -> Self {
        self.options.trust = trust;
        self
    }

    /// Creates the object, all of its space committed. It has no value yet.
    ///
    /// # If a process dies
    ///
    /// A creator that dies leaves a whole object or none.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`, `InvalidArgument` for a
    /// value or a number of writers that is too large, `Unsupported` in a directory on a network.
    pub fn create(&self, name: &str) -> Result<Latest<T>> {
        let finish = |error: Error| error.doing("create").on(name);
        let contents = self.contents().map_err(finish)?;
        let handle = Handle::create(&Name::new(name)?, &self.asked(), &contents).map_err(finish)?;
        Self::typed(handle).map_err(finish)
    }

    /// Opens the object, for reading and writing, or for reading where that is all that its access
    /// allows.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`; `WrongKind`, `WrongType`, `WrongVersion`,
    /// `WrongOptions` for what is there but is something else, with the first difference;
    /// `Corrupt` for what breaks the format; `Busy` if others keep replacing it.
    pub fn open(&self, name: &str) -> Result<Latest<T>> {
        self.open_as(name, OpenMode::Allowed)
    }

    /// Opens the object for reading alone: this process then cannot write to its memory by mistake.
    ///
    /// Unless the object was made with [`read_only_peers`](Self::read_only_peers), nobody wakes
    /// this reader: it sees a change when it looks by itself, every 50 ms.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_read_only(&self, name: &str) -> Result<Latest<T>> {
        self.open_as(name, OpenMode::ReadOnly)
    }

    /// Opens the object, or creates it where there is none. Of any number of processes that race,
    /// one creates.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(&self, name: &str) -> Result<Latest<T>> {
        let finish = |error: Error| error.doing("open or create").on(name);
        let contents = self.contents().map_err(finish)?;
        let name = Name::new(name)?;
        let handle = Handle::open_or_create(&name, &self.asked(), &contents).map_err(finish)?;
        Self::typed(handle).map_err(finish)
    }

    /// Takes the object's name away, whatever its type is. Whoever has it open is told `Closed`.
    ///
    /// # If a process dies
    ///
    /// The next who opens or creates under the name finishes what was begun.
    ///
    /// # Errors
    ///
    /// `NotFound`, `PermissionDenied`; `Busy` if others have been opening it for more than 1 s.
    pub fn remove(&self, name: &str) -> Result<()> {
        crate::object::remove_named(name, &self.options)
    }

    fn open_as(&self, name: &str, want: OpenMode) -> Result<Latest<T>> {
        let finish = |error: Error| error.doing("open").on(name);
        let handle = Handle::open(&Name::new(name)?, &self.asked(), want).map_err(finish)?;
        Self::typed(handle).map_err(finish)
    }

    fn typed(handle: Handle) -> Result<Latest<T>> {
        let shape = handle.shape_of()?;
        Ok(Latest { handle: Arc::new(handle), shape })
    }

    fn asked(&self) -> Asked<'_> {
        Asked { options: &self.options, shared_writers: self.shared_writers }
    }

    fn contents(&self) -> Result<crate::object::NewObject> {
        handle::contents(
            Schema::of::<T>().to_string(),
            T::LAYOUT.fingerprint(),
            size_of::<T>(),
            self.shared_writers.unwrap_or(false),
        )
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::object::OpenObject;

    #[test]
    fn an_object_whose_values_are_not_as_large_as_their_type_is_corrupt() {
        let directory = tempfile::tempdir().unwrap();
        let latest = Latest::<u64>::options().directory(directory.path());
        let fingerprint = <u64 as Shareable>::LAYOUT.fingerprint();
        let contents = handle::contents("u64".into(), fingerprint, 16, false).unwrap();
        OpenObject::create(&Name::new("lying").unwrap(), &latest.options, &contents).unwrap();
        let error = latest.open("lying").expect_err("an error");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let told = r#"cannot open "lying": values of 16 bytes, whose type has 8"#;
        assert_eq!(error.to_string(), told);
    }
}
