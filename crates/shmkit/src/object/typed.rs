//! The one way to create and to open an object of a type.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::attempts::until_not_removed;
use super::builder::Builder;
use super::choices::{Choices, check_option};
use super::kind::Kind;
use super::layout::{ObjectLayout, compose};
use super::name::Name;
use super::new_object::{First, file_flags, new_of};
use super::object_file::OpenMode;
use super::open_object::OpenObject;
use super::options::Options;
use super::payload::{Contents, Payload};
use super::planner::{Planner, schema_text, size_and_fingerprint};
use super::region_object;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::SharedMemory;
use crate::shareable::{Schema, check_by_value};

/// What the compiler says about an initial state that would overflow the stack.
const TOO_LARGE: &str = "what the object begins with is larger than 64 KiB: pass a reference or a \
                         `Box`, for example `zeroed_initial()`";

/// An open object that holds a primitive, or several in a tuple, an array or a boxed slice: under
/// a name, or in a region of memory.
///
/// It dereferences to what it holds. Several primitives in one object share one name, one file and
/// one slot among its participants. Share one `Object` among the threads of a process rather than
/// opening it several times.
///
/// [`sync::named`](crate::sync::named) has type aliases for objects of one primitive.
///
/// # Names
///
/// A name has 1 to 200 bytes: parts separated by single slashes, as in `robot/left/pose`. No part
/// is empty, `.` or `..`, and there is no control character. Letters are compared as they are
/// written. The object `robot/pose` is the file `robot%2fpose.shmkit` in the directory of objects.
///
/// # If a process dies
///
/// Opening takes a slot with a liveness lock, by which the other participants see that the process
/// lives. The next participant that needs what a dead participant held acquires it.
///
/// # Examples
///
/// A bounded buffer: a lock with its data, and two conditions.
///
/// ```
/// use shmkit::sync::{Condvar, Mutex};
/// use shmkit::{FixedVec, Object, Result};
///
/// type Buffer = (Mutex<FixedVec<u64, 16>>, [Condvar; 2]);
///
/// fn put(buffer: &Object<Buffer>, item: u64) -> Result<()> {
///     let (items, [not_full, not_empty]) = &**buffer;
///     let mut items = not_full.wait_while(items.lock()?, |items| items.len() == 16)?;
///     items.push(item).expect("it is not full");
///     not_empty.notify_one()
/// }
///
/// # fn main() -> Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = Object::<Buffer>::options().directory(directory.path());
/// # let open_or_create = |name, initial| options.open_or_create(name, initial);
/// # /*
/// let buffer = Object::<Buffer>::open_or_create("orders", (FixedVec::new(), [(), ()]))?;
/// # */
/// # let buffer = open_or_create("orders", (FixedVec::new(), [(), ()]))?;
/// put(&buffer, 7)?;
/// assert_eq!(buffer.0.lock()?.len(), 1);
/// # Ok(())
/// # }
/// ```
///
/// A thousand semaphores without a name, for child processes that inherit the memory:
///
/// ```
/// use shmkit::memory::SharedMemory;
/// use shmkit::sync::Semaphore;
/// use shmkit::Object;
///
/// # fn main() -> shmkit::Result<()> {
/// let permits = vec![1; 1_000];
/// let options = Object::<Box<[Semaphore]>>::options().max_participants(8);
/// let memory = SharedMemory::anonymous(options.size_in_memory(&permits)?)?;
/// let semaphores = options.create_in(&memory, 0, permits)?;
///
/// // in a process that was given the memory's file
/// let semaphores = Object::<Box<[Semaphore]>>::open_in(&memory, 0)?;
/// let permit = semaphores[7].acquire()?;
/// # drop(permit);
/// # Ok(())
/// # }
/// ```
pub struct Object<P> {
    payload: P,
    open: Arc<OpenObject>,
}

impl<P: Payload> Object<P> {
    /// Creates an object. `first` plans its parts with what they begin with.
    pub(crate) fn create_as(
        name: &str,
        choices: &Choices,
        initial: &P::Initial,
        first: First<'_>,
    ) -> Result<Self> {
        let create = || {
            let name = Name::new(name)?;
            let new = new_of::<P>(choices, initial, file_flags::<P>(choices)?, first)?;
            Self::over_new(OpenObject::create(&name, choices, &new)?)
        };
        create().map_err(|error| error.doing("create").on(name))
    }

    /// Creates an object that no other process opens before `before_others` has returned.
    ///
    /// CRASH: dying before that leaves a whole object that is open to all, or none.
    pub(crate) fn create_gated(
        name: &str,
        choices: &Choices,
        initial: &P::Initial,
        before_others: impl FnOnce(&P) -> Result<()>,
    ) -> Result<Self> {
        let choices = Choices { is_gated: true, ..choices.clone() };
        let first = |to: &mut Planner<'_>| P::plan(to, Some(initial));
        let object = Self::create_as(name, &choices, initial, &first)?;
        before_others(&object.payload).map_err(Error::after_creation)?;
        crash_point!("create: gate still closed");
        object.open.open_gate();
        Ok(object)
    }

    pub(crate) fn open_as(name: &str, choices: &Choices, mode: OpenMode) -> Result<Self> {
        let join = |choices: &Choices| {
            let open = OpenObject::open(&Name::new(name)?, choices, mode)?;
            Self::check(&open, choices, 0)?;
            Self::join(open)
        };
        let open = || Self::build(until_not_removed(choices, join)?);
        open().map_err(|error| error.doing("open").on(name))
    }

    /// Opens an object, or creates it as [`create_as`](Self::create_as) does.
    pub(crate) fn open_or_create_as(
        name: &str,
        choices: &Choices,
        initial: &P::Initial,
        first: First<'_>,
    ) -> Result<Self> {
        let join = |choices: &Choices| {
            let name = Name::new(name)?;
            P::check_initial(initial)?;
            let items = P::items(initial)?;
            let new = || new_of::<P>(choices, initial, file_flags::<P>(choices)?, first);
            let open = OpenObject::open_or_create(&name, choices, check_type::<P>, new)?;
            if open.was_created() {
                return Self::join(open).map_err(Error::after_creation);
            }
            Self::check(&open, choices, items)?;
            Self::join(open)
        };
        let open_or_create = || {
            let builder = until_not_removed(choices, join)?;
            if builder.object().was_created() {
                return Self::build(builder).map_err(Error::after_creation);
            }
            let object = Self::build(builder)?;
            object.payload.check_begun_with(initial)?;
            Ok(object)
        };
        open_or_create().map_err(|error| error.doing("open or create").on(name))
    }

    /// Refuses an object that exists, unless it is one of `P`, with this run-time number of items
    /// if that is not 0.
    fn check(open: &OpenObject, choices: &Choices, items: u32) -> Result<()> {
        let layout = open.layout();
        check_type::<P>(layout)?;
        let asked = Some(items).filter(|items| *items > 0);
        check_option("the number of items", asked, layout.items, |it| it.to_string())?;
        P::check_flags(choices.kind_flags, layout.flags)
    }

    /// Takes over an object that this process created.
    fn over_new(open: OpenObject) -> Result<Self> {
        let over = || Self::build(Self::join(open)?);
        over().map_err(Error::after_creation)
    }

    fn join(open: OpenObject) -> Result<Builder> {
        Builder::join(Arc::new(open), P::ROLE)
    }

    /// Builds the payload. It can be large: so it is moved as little as possible.
    fn build(mut builder: Builder) -> Result<Self> {
        let open = builder.object().clone();
        Ok(Self { payload: P::build(&mut builder)?, open })
    }

    /// The payload, which keeps the object open by itself.
    pub(crate) fn into_payload(self) -> P {
        self.payload
    }
}

/// Refuses an object of another kind than the one that was asked for.
pub(crate) fn check_kind(found: Kind, asked: Kind) -> Result<()> {
    if found == asked {
        return Ok(());
    }
    let why = format!("it is of kind {}, and {} was asked for", found.as_str(), asked.as_str());
    Err(Error::new(ErrorKind::WrongKind, why))
}

/// Refuses an object that does not hold a payload of type `P`.
pub(crate) fn check_type<P: Payload>(layout: &ObjectLayout) -> Result<()> {
    check_kind(layout.kind, P::KIND)?;
    if P::HAS_ITEMS && layout.items == 0 {
        let why = "it is a tuple or an array, and a boxed slice was asked for";
        return Err(Error::new(ErrorKind::WrongType, why));
    }
    P::check_item_length(layout.item_length)?;
    let plan = |to: &mut Planner<'_>| P::plan(to.with_flags(layout.flags), None);
    let (size, expected) = size_and_fingerprint(P::KIND, layout.counts(), &plan);
    if expected != layout.fingerprint {
        return Err(wrong_type::<P>(layout));
    }
    if layout.payload_size < size {
        let found = layout.payload_size;
        let why = format!("its payload has {found} bytes, but its type needs {size}");
        return Err(Error::new(ErrorKind::Corrupt, why));
    }
    Ok(())
}

/// The first difference between the types, by the values that they hold if there is one.
#[cold]
fn wrong_type<P: Payload>(layout: &ObjectLayout) -> Error {
    let plan = |to: &mut Planner<'_>| P::plan(to.with_flags(layout.flags), None);
    let ours = schema_text(P::KIND, layout.counts(), &plan);
    let ours = match Schema::parse(&ours) {
        Ok(ours) => ours,
        Err(error) => {
            let why = format!("no object has the type that was asked for: {}", error.reason());
            return Error::new(ErrorKind::WrongType, why);
        }
    };
    let difference = || -> Result<Option<String>> {
        let theirs = Schema::parse(&layout.schema)?;
        let values = ours.value().zip(theirs.value());
        let of_values = values.and_then(|(ours, theirs)| ours.first_difference(theirs));
        Ok(of_values.or_else(|| ours.first_difference(&theirs)))
    };
    match difference() {
        Ok(Some(why)) => Error::new(ErrorKind::WrongType, why),
        Ok(None) => Error::new(ErrorKind::Corrupt, "its fingerprint is not that of its schema"),
        Err(error) => error,
    }
}

impl<P: Contents> Object<P> {
    /// Returns options other than the defaults: directory, access, lifetime, participants.
    pub fn options() -> Options<P> {
        Options::new()
    }

    /// Creates an object with the default options: see [`Options::create`].
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `InvalidArgument` for an
    /// invalid initial state; `Unsupported` in a directory on a network.
    pub fn create<I: Borrow<P::Initial>>(name: &str, initial: I) -> Result<Self> {
        Self::options().create(name, initial)
    }

    /// Opens an object with the default options: see [`Options::open`].
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `WrongKind`, `WrongType`, `WrongVersion`,
    /// `WrongOptions`, `Full`, `Corrupt`, `Busy`.
    pub fn open(name: &str) -> Result<Self> {
        Self::options().open(name)
    }

    /// Opens an object, or creates it, with the default options: see [`Options::open_or_create`].
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create<I: Borrow<P::Initial>>(name: &str, initial: I) -> Result<Self> {
        Self::options().open_or_create(name, initial)
    }

    /// Removes an object from the default directory: see [`Options::remove`].
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `Busy`.
    pub fn remove(name: &str) -> Result<()> {
        Self::options().remove(name)
    }

    /// Creates an object in memory with the default options: see [`Options::create_in`].
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `OutOfRange`, `OutOfSpace`, `InvalidArgument`, `PermissionDenied`,
    /// `Unsupported`.
    pub fn create_in<I: Borrow<P::Initial>>(
        memory: &SharedMemory,
        offset: u64,
        initial: I,
    ) -> Result<Self> {
        Self::options().create_in(memory, offset, initial)
    }

    /// Opens the object at byte `offset` of memory, and takes a slot among its participants.
    ///
    /// # Errors
    ///
    /// `NotFound`, `WrongKind`, `WrongType`, `WrongVersion`, `OutOfRange`, `OutOfSpace`, `Full`,
    /// `Corrupt`, `PermissionDenied`, `Unsupported`; `InvalidArgument` for an offset that is not a
    /// multiple of 128.
    pub fn open_in(memory: &SharedMemory, offset: u64) -> Result<Self> {
        let open = || {
            let open =
                OpenObject::in_region(&Choices::new(), || region_object::open(memory, offset))?;
            Self::check(&open, &Choices::new(), 0)?;
            Self::build(Self::join(open)?)
        };
        open().map_err(|error| error.doing("open").on(region_object::label(memory, offset)))
    }
}

impl<P> Object<P> {
    /// Returns the name of the object. For an object in memory, returns the name of the memory and
    /// the offset: `robot at byte 128`.
    pub fn name(&self) -> &str {
        self.open.label()
    }

    /// Returns whether this handle created the object. False: it opened an object that was there.
    pub fn was_created(&self) -> bool {
        self.open.was_created()
    }

    /// Ends the object for all its users, which get `Closed`. Its bytes, and its name if it has
    /// one, stay.
    ///
    /// It is for objects in memory; [`Options::remove`] is for named ones.
    ///
    /// # Errors
    ///
    /// `Forked`.
    pub fn close(&self) -> Result<()> {
        self.open.check_not_forked()?;
        self.open.retire();
        Ok(())
    }
}

impl<P> Deref for Object<P> {
    type Target = P;

    #[inline]
    fn deref(&self) -> &P {
        &self.payload
    }
}

impl<P: fmt::Debug> fmt::Debug for Object<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl<P> Options<P> {
    /// Sets how many participants there can be at a time, 1 to 1,024. Default: 64, and 16 for a
    /// [`Latest`](crate::Latest).
    ///
    /// Each open object of primitives takes part; of a [`Topic`](crate::Topic), each publisher and
    /// each subscriber; of a `Latest`, each writer.
    pub fn max_participants(mut self, participants: u32) -> Self {
        self.choices.participants = Some(participants);
        self
    }
}

impl<P: Contents> Options<P> {
    /// Creates the object, which begins as `initial` says: a value, a reference or a `Box`. A value
    /// that is too large for the stack is created by
    /// [`Object::zeroed_initial`], or by [`zeroed_box`](crate::shareable::zeroed_box).
    ///
    /// # If a process dies
    ///
    /// A creator that dies leaves a whole object or none.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `InvalidArgument` for an
    /// invalid initial state; `Unsupported` in a directory on a network. If the message says that
    /// the object was created, it exists, and only this process could not open it.
    pub fn create<I: Borrow<P::Initial>>(&self, name: &str, initial: I) -> Result<Object<P>> {
        const { check_by_value::<I>(TOO_LARGE) };
        let initial = initial.borrow();
        Object::create_as(name, &self.choices, initial, &|to| P::plan(to, Some(initial)))
    }

    /// Opens the object, and takes a slot among its participants.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `WrongKind`, `WrongVersion`, `Corrupt`, `Busy`;
    /// `PermissionDenied`, also if this process may only read the object; `WrongType` and
    /// `WrongOptions` with the first difference; `Full` if all slots are taken.
    pub fn open(&self, name: &str) -> Result<Object<P>> {
        Object::open_as(name, &self.choices, OpenMode::WritableIfAllowed)
    }

    /// Opens the object, or creates it if there is none. If processes race, one of them creates it:
    /// [`Object::was_created`] returns whether this one did.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open). An existing object must have
    /// begun with the same numbers: the parties of a barrier, the permits of a semaphore, the reset
    /// of an event. Otherwise `WrongOptions`, with both.
    pub fn open_or_create<I: Borrow<P::Initial>>(
        &self,
        name: &str,
        initial: I,
    ) -> Result<Object<P>> {
        const { check_by_value::<I>(TOO_LARGE) };
        let initial = initial.borrow();
        Object::open_or_create_as(name, &self.choices, initial, &|to| P::plan(to, Some(initial)))
    }

    /// Returns how many bytes of memory the object takes.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for an invalid initial state or number of participants.
    pub fn size_in_memory(&self, initial: &P::Initial) -> Result<u64> {
        let first = |to: &mut Planner<'_>| P::plan(to, Some(initial));
        let new = new_of::<P>(&self.choices, initial, self.choices.flags(), &first)?;
        Ok(compose(None, &new)?.1.size)
    }

    /// Creates an object without a name at byte `offset` of memory, a multiple of 128, where the
    /// memory is zero.
    ///
    /// Other processes that map the memory [open](Object::open_in) it at the same offset. It has no
    /// lifetime of its own, and its access is that of the memory.
    ///
    /// # If a process dies
    ///
    /// A creator that dies leaves a whole object, or none. The next creator at its offset sets to
    /// zero all bytes that its object would have had, up to the next object.
    ///
    /// # Platforms
    ///
    /// Of several creators at one offset, one succeeds. Objects that would overlap at different
    /// offsets are refused for certain only if the memory between them is not zero, on Linux also
    /// while one of them is being created. Bytes that a dead creator left belong to the object that
    /// is being created at its offset.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if the memory is not zero there, or if another process is creating an object
    /// there; `OutOfRange` if it is too small, or the object would end after byte 2^60;
    /// `OutOfSpace` if the system has no space for bytes of sparse memory; `InvalidArgument` also
    /// for types that are nested too deep to be described; `PermissionDenied` if the memory can
    /// only be read; `Unsupported` where the system cannot prove that a participant lives. If the
    /// message says that the object was created, it exists.
    pub fn create_in<I: Borrow<P::Initial>>(
        &self,
        memory: &SharedMemory,
        offset: u64,
        initial: I,
    ) -> Result<Object<P>> {
        const { check_by_value::<I>(TOO_LARGE) };
        let create = || {
            let initial = initial.borrow();
            let first = |to: &mut Planner<'_>| P::plan(to, Some(initial));
            let new = new_of::<P>(&self.choices, initial, self.choices.flags(), &first)?;
            let create = || region_object::create(memory, offset, &new);
            let open = OpenObject::in_region(&self.choices, create)?;
            Object::over_new(open.created())
        };
        create().map_err(|error| error.doing("create").on(region_object::label(memory, offset)))
    }
}
