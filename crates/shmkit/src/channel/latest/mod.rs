//! The latest value of something.
//!
//! ```text
//!  writer ── set ──> slots, then `latest` ──> any number of readers: get, changes
//!                    in shared memory         who write nothing there
//! ```
//!
//! | file | what it tells |
//! |---|---|
//! | `register` | the protocol of slots and stamps: why no value is torn |
//! | `handle` | the object, its words, what is wrong with it |
//! | `options` | creating and opening |
//! | `writing` | the right to write, and what becomes of it |
//! | `changes` | waiting for the next value |
//! | `receive` | from bytes to a checked value |
//! | `observed` | what can be seen without taking part |
//! | `any` | the same for a type that only the object knows |

mod any;
mod changes;
mod handle;
mod observed;
mod options;
mod receive;
pub(crate) mod register;
mod writing;

use std::mem::MaybeUninit;
use std::sync::Arc;

pub use any::{AnyChanges, AnyLatest};
pub use changes::Changes;
pub(crate) use observed::observe;
pub use options::LatestOptions;
#[cfg(feature = "count-retries")]
pub use register::retries::read_retries;
pub use writing::LatestWriter;

use self::changes::Cursor;
use self::handle::Handle;
use self::register::Of;
use self::writing::WriterMembership;
use crate::error::Result;
use crate::shareable::Shareable;

/// The latest value of something, shared under a name: one sets it, any number get it.
///
/// A reader copies the newest whole value out of shared memory, and writes nothing there; no number
/// of readers slows the writer down. Old values are overwritten: who must have every message uses
/// another channel. A clone is another handle on the same open object.
///
/// # If a process dies
///
/// Nothing is held by a reader. A writer that dies half-way leaves the value before it; the next
/// writer takes its place, and readers that wait are told `PeerDied`.
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
    shape: Of<T>,
}

impl<T: Shareable> Latest<T> {
    /// Choices other than the defaults: directory, access, lifetime, shared writers.
    pub fn options() -> LatestOptions<T> {
        LatestOptions::new()
    }

    /// [`LatestOptions::create`] with the default choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create(name: &str) -> Result<Self> {
        Self::options().create(name)
    }

    /// [`LatestOptions::open`] with the default choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(name: &str) -> Result<Self> {
        Self::options().open(name)
    }

    /// [`LatestOptions::open_read_only`] with the default choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_read_only(name: &str) -> Result<Self> {
        Self::options().open_read_only(name)
    }

    /// [`LatestOptions::open_or_create`] with the default choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_or_create(name: &str) -> Result<Self> {
        Self::options().open_or_create(name)
    }

    /// The right to set the value.
    ///
    /// Where writers are shared, a place among them; otherwise the one right there is.
    ///
    /// # If a process dies
    ///
    /// The right of a writer that died is taken over.
    ///
    /// # Errors
    ///
    /// `RoleTaken`, naming who has it and in which slot; `Full` if all places are taken;
    /// `PermissionDenied` where the object is open for reading alone; `Closed`; `Forked`.
    pub fn writer(&self) -> Result<LatestWriter<T>> {
        Ok(LatestWriter::new(WriterMembership::take(&self.handle)?, self.shape))
    }

    /// The newest value: a copy, whole and checked.
    ///
    /// # Errors
    ///
    /// `Empty` before the first [`set`](LatestWriter::set); `Closed` if the object was removed;
    /// `Busy` if a writer overtook this reader in each of 256 tries; `Corrupt` if another process
    /// wrote bytes that are no value of the type; `Forked` in a forked child.
    #[inline]
    pub fn get(&self) -> Result<T> {
        if size_of::<T>() > receive::IN_REGISTERS {
            return receive::value(|bytes| self.read_newest(bytes), || self.handle.invalid());
        }
        let register = self.handle.register_of(self.shape);
        if let Some(value) = receive::attempt(|bytes| register.try_newest(bytes)) {
            return Ok(value);
        }
        Ok(*self.get_later()?)
    }

    /// The newest value, if it was not got at once.
    ///
    /// On the heap, so that one that is got at once can stay in processor registers.
    #[cold]
    #[inline(never)]
    fn get_later(&self) -> Result<Box<T>> {
        receive::boxed::<T>(|bytes| self.read_newest(bytes), || self.handle.invalid())
    }

    /// The newest value, copied to where `into` is: for values too large for the stack.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get). What `into` then holds is some value of its type.
    #[inline]
    pub fn get_into(&self, into: &mut T) -> Result<()> {
        receive::into_place(into, |bytes| self.read_newest(bytes), || self.handle.invalid())
    }

    /// The newest value, on the heap: a first one for [`get_into`](Self::get_into).
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn get_boxed(&self) -> Result<Box<T>> {
        receive::boxed(|bytes| self.read_newest(bytes), || self.handle.invalid())
    }

    #[inline(always)]
    fn read_newest(&self, bytes: &mut [MaybeUninit<u8>]) -> Result<()> {
        let register = self.handle.register_of(self.shape);
        if register.try_newest(bytes) {
            return Ok(());
        }
        self.handle.object.check_not_forked()?;
        register.read_newest(bytes).map(|_| ()).map_err(|miss| self.handle.missed(miss))
    }

    /// The values that are set from now on.
    pub fn changes(&self) -> Changes<T> {
        self.changes_since(self.sequence())
    }

    /// The values after the one with this sequence number, as far as they are still there: from 0
    /// on, also the newest that was set before.
    pub fn changes_since(&self, sequence: u64) -> Changes<T> {
        Changes::new(Cursor::new(self.handle.clone(), sequence), self.shape)
    }

    /// The newest value's sequence number: how many were set. 0: none yet, or this is a forked
    /// child, in which nothing of its parent's object is seen.
    pub fn sequence(&self) -> u64 {
        self.handle.register().newest().sequence
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        self.handle.object.name().as_str()
    }

    /// [`LatestOptions::remove`] with the default choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn remove(name: &str) -> Result<()> {
        Self::options().remove(name)
    }
}

impl<T: Shareable> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), shape: self.shape }
    }
}
