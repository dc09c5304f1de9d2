//! Primitives under a name: what any process on the machine can open.
//!
//! A [`Named`] holds one primitive, or several in a tuple or an array: then one name, one file and
//! one place among the participants serve them all. The aliases here are for those that stand
//! alone.
//!
//! # Examples
//!
//! A bounded buffer in one object: a lock with what it guards, and two conditions.
//!
//! ```
//! use shmkit::sync::{Condvar, Mutex, named::Named};
//! use shmkit::{FixedVec, Result};
//!
//! type Buffer = (Mutex<FixedVec<u64, 16>>, [Condvar; 2]);
//!
//! fn put(buffer: &Named<Buffer>, item: u64) -> Result<()> {
//!     let (items, [not_full, not_empty]) = &**buffer;
//!     let mut items = not_full.wait_while(items.lock()?, |items| items.len() == 16)?;
//!     items.push(item).expect("it is not full");
//!     not_empty.notify_one()
//! }
//!
//! # fn main() -> Result<()> {
//! # let directory = tempfile::tempdir().unwrap();
//! # let options = Named::<Buffer>::options().directory(directory.path());
//! # let open_or_create = |name, initial| options.open_or_create(name, initial);
//! # /*
//! let buffer = Named::<Buffer>::open_or_create("orders", (FixedVec::new(), [(), ()]))?;
//! # */
//! # let buffer = open_or_create("orders", (FixedVec::new(), [(), ()]))?;
//! put(&buffer, 7)?;
//! assert_eq!(buffer.0.lock()?.len(), 1);
//! # Ok(())
//! # }
//! ```

use std::marker::PhantomData;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use super::membership::Membership;
use super::parts::{Builder, Planner, Primitive};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{Access, Trust};
use crate::object::{Lifetime, Name, NewObject, OpenMode, OpenObject, Options, check_kind};
use crate::shareable::Schema;

/// A [`Mutex`](super::Mutex) under a name.
pub type Mutex<T = super::NoData> = Named<super::Mutex<T>>;

/// A [`ReentrantMutex`](super::ReentrantMutex) under a name.
pub type ReentrantMutex<T = super::NoData> = Named<super::ReentrantMutex<T>>;
/// An [`RwLock`](super::RwLock) under a name.
pub type RwLock<T = super::NoData> = Named<super::RwLock<T>>;
/// A [`Condvar`](super::Condvar) under a name.
pub type Condvar = Named<super::Condvar>;
/// A [`Semaphore`](super::Semaphore) under a name.
pub type Semaphore = Named<super::Semaphore>;
/// An [`Event`](super::Event) under a name.
pub type Event = Named<super::Event>;
/// A [`Barrier`](super::Barrier) under a name.
pub type Barrier = Named<super::Barrier>;
/// A [`Latch`](super::Latch) under a name.
pub type Latch = Named<super::Latch>;
/// A [`Once`](super::Once) under a name.
pub type Once = Named<super::Once>;

/// A primitive under a name, as one participant has it open.
///
/// It takes a place among the object's participants, by which the others know that it lives. Share
/// one among the threads of a process rather than to open several.
#[derive(Debug)]
pub struct Named<P> {
    primitive: P,
    membership: Arc<Membership>,
}

impl<P: Primitive> Named<P> {
    /// Choices other than the defaults: directory, access, lifetime, number of participants.
    pub fn options() -> NamedOptions<P> {
        NamedOptions { options: Options::new(), primitive: PhantomData }
    }

    /// [`NamedOptions::create`] with the default choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create(name: &str, initial: P::Initial) -> Result<Self> {
        Self::options().create(name, initial)
    }

    /// [`NamedOptions::open`] with the default choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(name: &str) -> Result<Self> {
        Self::options().open(name)
    }

    /// [`NamedOptions::open_or_create`] with the default choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_or_create(name: &str, initial: P::Initial) -> Result<Self> {
        Self::options().open_or_create(name, initial)
    }

    /// [`NamedOptions::remove`] with the default choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn remove(name: &str) -> Result<()> {
        Self::options().remove(name)
    }
}

impl<P> Named<P> {
    /// The object's name.
    pub fn name(&self) -> &str {
        self.membership.object().name().as_str()
    }
}

impl<P> Deref for Named<P> {
    type Target = P;

    #[inline]
    fn deref(&self) -> &P {
        &self.primitive
    }
}

/// Choices for a [`Named`], made before it is created or opened.
///
/// What is not chosen has its default when the object is created, and is taken as it is when the
/// object is opened. What is chosen must be so: an object with another option is refused.
#[derive(Debug)]
pub struct NamedOptions<P> {
    options: Options,
    primitive: PhantomData<fn() -> P>,
}

impl<P> Clone for NamedOptions<P> {
    fn clone(&self) -> Self {
        Self { options: self.options.clone(), primitive: PhantomData }
    }
}

/// How many participants there is room for, unless the program chooses.
const PARTICIPANTS: u32 = 64;

impl<P: Primitive> NamedOptions<P> {
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

    /// How many can have it open at a time, 1 to 1,024. Default: 64.
    pub fn max_participants(mut self, participants: u32) -> Self {
        self.options.participants = Some(participants);
        self
    }

    /// Whose object is opened. Default: [`Trust::Own`].
    pub fn trust(mut self, trust: Trust) -> Self {
        self.options.trust = trust;
        self
    }

    /// Creates the object, which begins as `initial` says.
    ///
    /// # If a process dies
    ///
    /// A creator that dies leaves a whole object or none.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`, `InvalidArgument` for what
    /// cannot be, `Unsupported` in a directory on a network.
    pub fn create(&self, name: &str, initial: P::Initial) -> Result<Named<P>> {
        let create = || {
            P::check_initial(&initial)?;
            let contents = self.contents(&initial);
            finish(OpenObject::create(&Name::new(name)?, &self.options, &contents)?)
        };
        create().map_err(|error: Error| error.doing("create").on(name))
    }

    /// Opens the object, and takes part in it.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`; `PermissionDenied`, also where it may only be read; `WrongKind`,
    /// `WrongType`, `WrongVersion`, `WrongOptions` for what is there but is something else, with
    /// the first difference; `Full` if all places are taken; `Corrupt`; `Busy`.
    pub fn open(&self, name: &str) -> Result<Named<P>> {
        let open =
            || finish(OpenObject::open(&Name::new(name)?, &self.options, OpenMode::Allowed)?);
        open().map_err(|error: Error| error.doing("open").on(name))
    }

    /// Opens the object, or creates it where there is none. Of any number of processes that race,
    /// one creates.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create) and [`open`](Self::open). What is there must have begun as
    /// `initial` says, where that decides what it is: the parties of a barrier, the permits of a
    /// semaphore, the kind of an event. `WrongOptions` has both numbers.
    pub fn open_or_create(&self, name: &str, initial: P::Initial) -> Result<Named<P>> {
        let open_or_create = || {
            P::check_initial(&initial)?;
            let (name, contents) = (Name::new(name)?, self.contents(&initial));
            let (object, _) = OpenObject::open_or_create(&name, &self.options, &contents)?;
            let named = finish::<P>(object)?;
            named.primitive.check(&initial)?;
            Ok(named)
        };
        open_or_create().map_err(|error: Error| error.doing("open or create").on(name))
    }

    /// Takes the object's name away, whatever is in it. Whoever has it open is told `Closed`.
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
}

impl<P: Primitive> NamedOptions<P> {
    fn contents(&self, initial: &P::Initial) -> NewObject {
        let participants = self.options.participants.unwrap_or(PARTICIPANTS);
        Planner::plan::<P>(participants, Some(initial)).contents(P::KIND)
    }
}

/// Takes part in an object, if it is one of `P`.
fn finish<P: Primitive>(object: OpenObject) -> Result<Named<P>> {
    let object_layout = object.layout();
    check_kind(object_layout.kind, P::KIND)?;
    let plan = Planner::plan::<P>(object_layout.participants_count, None);
    let ours = plan.schema(P::KIND);
    if ours.fingerprint() != object_layout.fingerprint {
        let why = ours.first_difference(&Schema::parse(&object_layout.schema)?);
        let why = why.unwrap_or_else(|| "the types' fingerprints differ".into());
        return Err(Error::new(ErrorKind::WrongType, why));
    }
    let (size, lines) = (object_layout.payload_size, object_layout.wait_words);
    if (size, lines) != (plan.payload_size(), plan.wait_words()) {
        let why = format!("a payload of {size} bytes with {lines} lines does not fit its type");
        return Err(Error::new(ErrorKind::Corrupt, why));
    }
    let membership = Membership::join(object)?;
    let primitive = P::build(&mut Builder::new(membership.clone(), lines))?;
    Ok(Named { primitive, membership })
}
