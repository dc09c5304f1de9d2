//! Options: chosen once, when an object is created, or each time it is opened.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use super::choices::Choices;
use super::header::Lifetime;
use crate::error::Result;
use crate::memory::{Access, Trust};

/// Options for creating and opening an object of type `P`.
///
/// An option that is not chosen has its default when the object is created, and is not compared
/// when the object is opened. If an option that is chosen differs in an object that is opened,
/// opening fails with `WrongOptions`.
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
#[must_use = "nothing happens before `create`, `open` or `open_or_create`"]
pub struct Options<P> {
    pub(crate) choices: Choices,
    payload: PhantomData<fn() -> P>,
}

impl<P> Options<P> {
    pub(crate) const fn new() -> Self {
        Self { choices: Choices::new(), payload: PhantomData }
    }

    /// Sets the directory of the object. Default: see
    /// [`default_directory`](crate::default_directory).
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.choices.directory = Some(directory.into());
        self
    }

    /// Sets who may use the object. Default: [`Access::Owner`].
    pub fn access(mut self, access: Access) -> Self {
        self.choices.access = Some(access);
        self
    }

    /// Sets how long the object stays. Default: [`Lifetime::Persistent`].
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.choices.lifetime = Some(lifetime);
        self
    }

    /// Sets whose objects are opened. Default: [`Trust::Own`].
    pub fn trust(mut self, trust: Trust) -> Self {
        self.choices.trust = trust;
        self
    }

    /// Sets whether waiting threads of this process may get death notices. Default: true.
    ///
    /// The first thread that has waited for 2 ms, or sleeps often (on Windows: the first that
    /// sleeps), then starts a thread named `shmkit-notices`, which ends with the last such object.
    /// Without notices, and on macOS, a waiter finds out about a death after 50 ms at most. A
    /// program that must stay single-threaded turns them off here, or by the environment variable
    /// `SHMKIT_NOTICES=off` for all its objects, also for those that it opens without options.
    pub fn death_notices(mut self, wanted: bool) -> Self {
        self.choices.death_notices = wanted;
        self
    }

    /// Sets how long a wait spins before the thread sleeps.
    ///
    /// Default: each handle learns whether spinning pays. A spin lasts at most 6 us for a lock. For
    /// an answer of another process it lasts at most 100 us, and 0.25 ns for each byte of a value.
    ///
    /// A program that dedicates a processor to a thread sets a longer time. Each wait then spins
    /// for at least this time; timeouts and deaths are noticed as always. With [`Duration::MAX`]
    /// the thread never sleeps. With [`Duration::ZERO`] it sleeps at once: that takes less power,
    /// and an answer arrives some microseconds later. On a machine with one processor, no thread
    /// spins.
    pub fn spin_for(mut self, duration: Duration) -> Self {
        self.choices.spin_for = Some(duration);
        self
    }

    /// Sets how long to wait for a slot if all slots of the object are taken. Default: not at all,
    /// but `Full`. With [`Duration::MAX`] the wait has no limit.
    ///
    /// It applies to opening an object of a kind that takes a slot, and to each writer of a
    /// [`Latest`](crate::Latest). A waiter looks for a free slot at the latest every 16 ms, and
    /// gets `Closed` if the object is removed.
    pub fn slot_timeout(mut self, timeout: Duration) -> Self {
        self.choices.slot_timeout = timeout;
        self
    }

    /// Sets whether `open_or_create` replaces an object of another kind or type, if no process uses
    /// it. Default: no, but `WrongKind` or `WrongType`.
    ///
    /// It is for a program whose types change from version to version. **The data in the old object
    /// are lost.** If a process uses the old object, the error says so, and nothing changes. A
    /// process uses an object while it has it open, and only the kernel's locks decide that.
    ///
    /// The lifetime of the old object decides about a process that opens it at that moment. With
    /// [`WhileUsed`](Lifetime::WhileUsed) it either uses the old object, which then stays, or opens
    /// the new one. With [`Persistent`](Lifetime::Persistent) and [`Durable`](Lifetime::Durable),
    /// opening does not wait for a removal, and the process can get `Closed` at its first uses.
    ///
    /// # If a process dies
    ///
    /// A process that dies meanwhile leaves the old object, the new one, or none.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::{ErrorKind, Latest};
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// let old = Latest::<u32>::options().directory(directory.path()).create("tank/level")?;
    ///
    /// let options = Latest::<f64>::options().directory(directory.path()).replace_unused(true);
    /// let refused = options.open_or_create("tank/level").unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::WrongType); // it is in use
    ///
    /// drop(old);
    /// let level = options.open_or_create("tank/level")?;
    /// assert!(level.was_created());
    /// # Ok(())
    /// # }
    /// ```
    pub fn replace_unused(mut self, replace: bool) -> Self {
        self.choices.replace_unused = replace;
        self
    }

    /// Removes the object with the name, whatever its type is. Processes that have it open get
    /// `Closed`.
    ///
    /// # If a process dies
    ///
    /// The next process that opens or creates an object under the name finishes the removal.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`; `Busy` if other processes have been opening
    /// or removing it for more than 1 s.
    pub fn remove(&self, name: &str) -> Result<()> {
        super::named_object::remove(name, &self.choices)
    }
}

impl<P> Clone for Options<P> {
    fn clone(&self) -> Self {
        Self { choices: self.choices.clone(), payload: PhantomData }
    }
}

impl<P> fmt::Debug for Options<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Options").field(&self.choices).finish()
    }
}
