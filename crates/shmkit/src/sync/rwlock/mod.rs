//! A value with many readers at a time, or one writer, in whatever process.
#![allow(unsafe_code, reason = "references to the value of a held lock")]

mod guards;

use std::borrow::Borrow;
use std::time::{Duration, Instant};

use guards::{GuardOf, Locked};
pub use guards::{NotUpgraded, ReadGuard, UpgradableGuard, WriteGuard};

use super::lock_error::LockResult;
use super::raw::rwlock::{self, Hold, RawRwLock, USED};
use super::value::{NoData, Value};
use crate::error::Result;
use crate::object::{Builder, Kind, Part, PartState, Payload, Planner, Primitive};
use crate::shareable::{Shareable, check_by_value};
use crate::wait::Until;

/// A value with many readers at a time, or one writer, in whatever process.
///
/// There are three ways to hold it. Any number of [`read`](Self::read) guards go together, and with
/// one [`upgradable_read`](Self::upgradable_read) guard, which can become a write guard without
/// another writer in between. [`write`](Self::write) excludes all other holders. Each guard can be
/// downgraded at once; it can be upgraded by an attempt, or, if it is upgradable, by waiting.
///
/// Readers of different processes write to no common memory, so they do not slow each other down.
/// While readers and writers wait for each other, they hold the lock in turn, about 1 ms each. A
/// thread that holds a guard and requests a second one can deadlock: it may wait for its own
/// guard.
///
/// A panic does not make the lock inconsistent: the guard is dropped normally. A process that ends
/// without dropping the guard, for example by calling `exit`, counts as dead.
///
/// # If a process dies
///
/// No dead holder is waited for: it is found at once or within 50 ms. A dead reader's share is
/// freed. A writer that dies may leave the value half-changed: the next locker, reader or writer,
/// gets [`OwnerDied`](super::LockError::OwnerDied), and so does each after it until one calls
/// [`mark_consistent`](WriteGuard::mark_consistent). A process that dies while it waits holds
/// nothing.
///
/// # Examples
///
/// ```
/// use shmkit::sync::named;
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = named::RwLock::<[f64; 3]>::options().directory(directory.path());
/// # let open_or_create = |name, value| options.open_or_create(name, value);
/// # /*
/// let limits = named::RwLock::<[f64; 3]>::open_or_create("limits", [1.0, 1.0, 0.5])?;
/// # */
/// # let limits = open_or_create("limits", [1.0, 1.0, 0.5])?;
/// assert_eq!(limits.read()?[2], 0.5);
/// let seen = limits.upgradable_read()?;
/// if seen[2] < 1.0 {
///     seen.upgrade()?[2] = 1.0;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RwLock<T: Shareable = NoData> {
    locked: Locked<T>,
}

impl<T: Shareable> RwLock<T> {
    /// Acquires the lock for reading, with other readers, and waits while a writer holds it or
    /// waits for it.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](super::LockError::OwnerDied), with the lock. Or
    /// [`Failed`](super::LockError::Failed): `Closed` if the object was removed; `Corrupt` if its
    /// bytes are not a valid value of the type (see [`write_replacing`](Self::write_replacing)), or
    /// its words hold garbage; `Forked` in a forked child; `RoleLost` if the process closed the
    /// descriptor of its liveness lock.
    #[inline]
    pub fn read(&self) -> LockResult<ReadGuard<'_, T>> {
        self.locked.acquire(Until::Ever)
    }

    /// Acquires the lock for reading, with other readers, if that is possible at once.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    #[inline]
    pub fn try_read(&self) -> LockResult<Option<ReadGuard<'_, T>>> {
        self.locked.attempt()
    }

    /// Acquires the lock for reading, with other readers, and waits up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with a holder as [`peer`](crate::Error::peer); and those of
    /// [`read`](Self::read).
    #[inline]
    pub fn read_timeout(&self, timeout: Duration) -> LockResult<ReadGuard<'_, T>> {
        self.locked.acquire(Until::after(timeout))
    }

    /// Acquires the lock for reading, with other readers, and waits until `deadline` on the
    /// monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`read_timeout`](Self::read_timeout).
    #[inline]
    pub fn read_until(&self, deadline: Instant) -> LockResult<ReadGuard<'_, T>> {
        self.locked.acquire(Until::Deadline(deadline))
    }

    /// Acquires the lock for reading, with the right to upgrade later, and waits while a writer or
    /// another upgradable reader holds it.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    #[inline]
    pub fn upgradable_read(&self) -> LockResult<UpgradableGuard<'_, T>> {
        self.locked.acquire(Until::Ever)
    }

    /// Acquires the lock for reading, with the right to upgrade later, if that is possible at once.
    ///
    /// # Errors
    ///
    /// Those of [`upgradable_read`](Self::upgradable_read).
    #[inline]
    pub fn try_upgradable_read(&self) -> LockResult<Option<UpgradableGuard<'_, T>>> {
        self.locked.attempt()
    }

    /// Acquires the lock for reading, with the right to upgrade later, and waits up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with a holder as [`peer`](crate::Error::peer); and those of
    /// [`upgradable_read`](Self::upgradable_read).
    #[inline]
    pub fn upgradable_read_timeout(&self, timeout: Duration) -> LockResult<UpgradableGuard<'_, T>> {
        self.locked.acquire(Until::after(timeout))
    }

    /// Acquires the lock for reading, with the right to upgrade later, and waits until `deadline`
    /// on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`upgradable_read_timeout`](Self::upgradable_read_timeout).
    #[inline]
    pub fn upgradable_read_until(&self, deadline: Instant) -> LockResult<UpgradableGuard<'_, T>> {
        self.locked.acquire(Until::Deadline(deadline))
    }

    /// Acquires the lock for writing, alone, and waits while other threads hold it.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    #[inline]
    pub fn write(&self) -> LockResult<WriteGuard<'_, T>> {
        self.locked.acquire(Until::Ever)
    }

    /// Acquires the lock for writing, alone, if that is possible at once.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    #[inline]
    pub fn try_write(&self) -> LockResult<Option<WriteGuard<'_, T>>> {
        self.locked.attempt()
    }

    /// Acquires the lock for writing, alone, and waits up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with a holder as [`peer`](crate::Error::peer); and those of
    /// [`write`](Self::write).
    #[inline]
    pub fn write_timeout(&self, timeout: Duration) -> LockResult<WriteGuard<'_, T>> {
        self.locked.acquire(Until::after(timeout))
    }

    /// Acquires the lock for writing, alone, and waits until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`write_timeout`](Self::write_timeout).
    #[inline]
    pub fn write_until(&self, deadline: Instant) -> LockResult<WriteGuard<'_, T>> {
        self.locked.acquire(Until::Deadline(deadline))
    }

    /// Acquires the lock for writing, and overwrites whatever bytes the value has: also bytes that
    /// a dead process left and that are not a valid value. It makes the lock consistent. `value`
    /// can be a value, a reference or a `Box`.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write), but not `Corrupt` for the value.
    pub fn write_replacing<V: Borrow<T>>(&self, value: V) -> Result<WriteGuard<'_, T>> {
        const { check_by_value::<V>("larger than 64 KiB: replace it by a reference or a `Box`") };
        // The caller's code: it may panic, so it runs before the lock is held.
        let value = value.borrow();
        let acquired = self.locked.raw.acquire(Hold::Write, Until::Ever);
        acquired.map_err(|error| self.locked.raw.owner.refused(error))?;
        // SAFETY: the lock is held exclusively.
        unsafe { self.locked.value.set(value) };
        let mut guard = WriteGuard::of(&self.locked);
        guard.mark_consistent();
        Ok(guard)
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<T: Shareable> Payload for RwLock<T> {
    type Initial = T;

    const KIND: Kind = Kind::RwLock;
    const ZEROS_ARE_INITIAL: bool = T::ZEROS_VALID;

    fn plan(planner: &mut Planner<'_>, initial: Option<&T>) {
        RawRwLock::plan(planner, |planner| Value::<T, USED>::plan(planner, initial));
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let (raw, value) = RawRwLock::build(builder, Value::build)?;
        Ok(Self { locked: Locked { raw, value } })
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        rwlock::describe(part)
    }

    fn reap(part: &Part<'_>) -> Result<()> {
        rwlock::reap(part)
    }
}

impl<T: Shareable> Primitive for RwLock<T> {}
