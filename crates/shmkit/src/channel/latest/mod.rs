//! The latest value of something.
//!
//! ```text
//!  writer ── set ──> slots, then `latest` ──> any number of readers: get, changes
//!                    in shared memory         (readers write nothing there)
//! ```
//!
//! | file | contents |
//! |---|---|
//! | `geometry` | where the words and slots are, for a size of value |
//! | `register` | the protocol of slots and stamps: why no value is torn |
//! | `proof`, `check` | values on a disk, which prove themselves whole |
//! | `payload` | where its parts are, and how `shm` describes them |
//! | `handle` | an open `Latest`, of a type known at compile time or at run time |
//! | `records` | what a writer records of each value: its check, its time |
//! | `options` | creating and opening |
//! | `writing` | the right to write: acquired, shared, released |
//! | `loan` | filling the next value in place |
//! | `part` | reading a part of the newest value |
//! | `age` | how old the newest value is; whether there is a writer |
//! | `changes` | waiting for the next value |
//! | `receive` | from bytes to a checked value |
//! | `any` | the same for a type that only the object knows |

mod age;
mod any;
mod changes;
mod check;
mod declared;
mod geometry;
mod handle;
mod loan;
mod options;
mod part;
mod payload;
mod proof;
pub(in crate::channel) mod receive;
mod records;
pub(crate) mod register;
mod sources;
pub(in crate::channel) mod writing;

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

pub use any::{AnyChanges, AnyLatest};
pub use changes::Changes;
pub use loan::LatestLoan;
#[cfg(feature = "count-retries")]
pub use register::retries::read_retries;
pub use writing::LatestWriter;

use self::changes::Cursor;
use self::geometry::TypeGeometry;
use self::handle::Handle;
use self::writing::UntypedWriter;
use crate::error::Result;
use crate::object::Options;
use crate::shareable::{Shareable, check_by_value};
use crate::wait::Until;

/// A [`Latest`] or an [`AnyLatest`]: what their [`Options`] have in common.
///
/// It is implemented by this library only.
pub trait LatestObject: sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
}

/// The latest value of something, shared under a name: one process sets it, any number get it.
///
/// A reader copies the newest whole value out of shared memory and writes nothing there, so no
/// number of readers slows the writer down. Old values are overwritten: a reader that needs every
/// message uses another channel. A clone is another handle on the same open object.
///
/// On a disk, a copy of the file can be made at any time, also while a value is set: it returns its
/// newest whole value, and the next one that is set there follows it. For that, a writer computes a
/// checksum of each value, and keeps one a minute in a place of its own. In memory (`/dev/shm`,
/// tmpfs) it does neither: a copy of such a file, made while a value is set, can hold a torn value.
///
/// # Memory
///
/// An object has room for several values, since readers copy one while the next is written:
///
/// | size of the value | values in memory | on a disk |
/// |---|---|---|
/// | to 64 bytes | 64 | 66 |
/// | to 120 bytes | 32 | 34 |
/// | to 4 KiB | 16 | 18 |
/// | to 256 KiB | 8 | 10 |
/// | above | 4 | 6 |
///
/// A value of 8 MiB takes 32 MiB of `/dev/shm`, or 48 MiB on a disk. The object takes a few KiB
/// more. All space is committed when it is created.
///
/// # If a process dies
///
/// A reader holds nothing. If a writer dies while it writes a value, readers keep the previous
/// value. The next writer takes over the role, and readers that wait get `PeerDied`.
///
/// # Examples
///
/// ```
/// use shmkit::{Latest, Shareable};
///
/// #[derive(Shareable, Debug, PartialEq)]
/// #[repr(C)]
/// struct Pose { x: f64, y: f64, heading: f32 }
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = Latest::<Pose>::options().directory(directory.path());
/// # let open_or_create = |name| options.open_or_create(name);
/// # /*
/// let pose = Latest::<Pose>::open_or_create("robot/pose")?;
/// # */
/// # let pose = open_or_create("robot/pose")?;
/// let mut writer = pose.writer()?;
/// writer.set(&Pose { x: 1.0, y: 2.0, heading: 0.5 })?;
///
/// // in this process or in another
/// # /*
/// let pose = Latest::<Pose>::open("robot/pose")?;
/// # */
/// # let pose = options.open("robot/pose")?;
/// assert_eq!(pose.get()?, Pose { x: 1.0, y: 2.0, heading: 0.5 });
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Latest<T: Shareable> {
    handle: Arc<Handle>,
    shape: TypeGeometry<T>,
}

impl<T: Shareable> Latest<T> {
    /// Returns options other than the defaults: directory, access, lifetime, shared writers.
    pub fn options() -> Options<Self> {
        Options::new()
    }

    /// Creates the object with the default options: see [`Options::create`].
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `InvalidArgument` for a
    /// value that is too large; `Unsupported` in a directory on a network.
    pub fn create(name: &str) -> Result<Self> {
        Self::options().create(name)
    }

    /// Opens the object with the default options: see [`Options::open`].
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `WrongKind`, `WrongType`, `WrongVersion`,
    /// `Corrupt`, `Busy`.
    pub fn open(name: &str) -> Result<Self> {
        Self::options().open(name)
    }

    /// Opens the object for reading only: see [`Options::open_read_only`].
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_read_only(name: &str) -> Result<Self> {
        Self::options().open_read_only(name)
    }

    /// Opens the object, or creates it, with the default options: see [`Options::open_or_create`].
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(name: &str) -> Result<Self> {
        Self::options().open_or_create(name)
    }

    /// Returns the right to set the value.
    ///
    /// Every writer takes a slot. There is only one at a time, unless writers are shared: then each
    /// acquires the right for one `set` at a time. The first writer of an open object opens the
    /// file again, for the lock that proves that the process lives.
    ///
    /// # If a process dies
    ///
    /// The caller takes over the right of a writer that died.
    ///
    /// # Errors
    ///
    /// `Closed`, `Forked`; `RoleTaken`, with the current writer as [`peer`](crate::Error::peer);
    /// `Full` if all slots are taken; `PermissionDenied` if the object is open for reading only, or
    /// if the process may not open the file any more.
    pub fn writer(&self) -> Result<LatestWriter<T>> {
        Ok(LatestWriter::new(UntypedWriter::join(&self.handle, Until::Now)?, self.shape))
    }

    /// Returns the right to set the value, and waits up to `timeout` for a slot, and for the
    /// current writer to give the right up or to die.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with the current writer as [`peer`](crate::Error::peer); and those of
    /// [`writer`](Self::writer), except `RoleTaken`.
    pub fn writer_timeout(&self, timeout: Duration) -> Result<LatestWriter<T>> {
        let writer = UntypedWriter::join(&self.handle, Until::after(timeout))?;
        Ok(LatestWriter::new(writer, self.shape))
    }

    /// Returns a copy of the newest value, whole and checked.
    ///
    /// For a value of more than 64 KiB it does not compile: use [`get_into`](Self::get_into) or
    /// [`get_boxed`](Self::get_boxed).
    ///
    /// # Errors
    ///
    /// `Empty` before the first [`set`](LatestWriter::set); `Closed` if the object was removed;
    /// `Busy` if a writer overtook this reader in each of 256 attempts; `Corrupt` if another
    /// process wrote bytes that are not a value of the type, or if no value in a copy of a file is
    /// whole; `Forked` in a forked child.
    #[inline]
    pub fn get(&self) -> Result<T> {
        const { check_by_value::<T>("larger than 64 KiB: use `get_into` or `get_boxed`") };
        if size_of::<T>() > receive::IN_REGISTERS {
            return receive::value(|bytes| self.read_newest(bytes), || self.handle.invalid());
        }
        if let Some(value) = receive::attempt(|bytes| self.try_newest(bytes)) {
            return Ok(value);
        }
        Ok(*self.get_later()?)
    }

    /// Reads the newest value after the first attempt failed.
    ///
    /// It uses the heap, so that the value of the first attempt can stay in processor registers.
    #[cold]
    #[inline(never)]
    fn get_later(&self) -> Result<Box<T>> {
        receive::boxed::<T>(|bytes| self.read_newest(bytes), || self.handle.invalid())
    }

    /// Copies the newest value to `into`: for values too large for the stack.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get). `into` then holds some value of its type.
    #[inline]
    pub fn get_into(&self, into: &mut T) -> Result<()> {
        receive::into_place(into, |bytes| self.read_newest(bytes), || self.handle.invalid())
    }

    /// Returns the newest value on the heap, for example to pass it to
    /// [`get_into`](Self::get_into) later.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    pub fn get_boxed(&self) -> Result<Box<T>> {
        receive::boxed(|bytes| self.read_newest(bytes), || self.handle.invalid())
    }

    /// Reads the newest value, unless it must prove itself, or it is time to ask whether the object
    /// was removed.
    #[inline(always)]
    fn try_newest(&self, bytes: &mut [MaybeUninit<u8>]) -> bool {
        !self.handle.removal_watch.is_due()
            && self.handle.register_to_get(self.shape).try_newest(bytes)
    }

    #[inline(always)]
    fn read_newest(&self, bytes: &mut [MaybeUninit<u8>]) -> Result<()> {
        if self.try_newest(bytes) {
            return Ok(());
        }
        self.read_newest_again(bytes)
    }

    /// Reads the newest value after a first try that failed. It builds the register again, so that
    /// the first try can keep its own in processor registers.
    #[cold]
    #[inline(never)]
    fn read_newest_again(&self, bytes: &mut [MaybeUninit<u8>]) -> Result<()> {
        self.handle.check_use()?;
        self.handle.read_newest(bytes).map_err(|error| self.handle.read_error(error))
    }

    /// Returns the values that are set from now on.
    pub fn changes(&self) -> Changes<T> {
        self.changes_since(self.sequence())
    }

    /// Returns the values after the one with this sequence number that are not overwritten yet.
    /// After 0, these include the newest value that was already set.
    pub fn changes_since(&self, sequence: u64) -> Changes<T> {
        Changes::new(Cursor::new(self.handle.clone(), sequence), self.shape)
    }

    /// Returns the sequence number of the newest value: how many were set. 0: none yet, or this
    /// process is a forked child, which cannot use an object that its parent opened.
    pub fn sequence(&self) -> u64 {
        self.handle.sequence()
    }

    /// Returns whether this handle, or the one that it is a clone of, created the object. False: it
    /// opened an object that was there.
    pub fn was_created(&self) -> bool {
        self.handle.object.was_created()
    }

    /// Returns the name of the object.
    pub fn name(&self) -> &str {
        self.handle.object.label()
    }

    /// Removes the object from the default directory: see [`Options::remove`].
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `Busy`.
    pub fn remove(name: &str) -> Result<()> {
        Self::options().remove(name)
    }
}

impl<T: Shareable> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), shape: self.shape }
    }
}
