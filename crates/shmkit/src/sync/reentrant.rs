//! A value that one thread at a time may use, which may lock it again.
#![allow(unsafe_code, reason = "copies of the value of a held lock")]

use std::borrow::Borrow;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use super::lock_error::{self, Guard, LockResult};
use super::raw::mutex::{self, RawMutex, USED};
use super::raw::reentrant::RawReentrantMutex;
use super::value::{NoData, Value};
use crate::error::Result;
use crate::object::{Builder, Kind, Membership, Part, PartState, Payload, Planner, Primitive};
use crate::participant::owner::Acquired;
use crate::shareable::{Shareable, check_by_value};
use crate::wait::Until;

/// A [`Mutex`](super::Mutex) that the thread that holds it may lock again: it is released when all
/// its guards are dropped.
///
/// Since a thread can have several guards, they give no references to the value: it is copied out
/// and in as a whole. A thread locks it again through the handle through which it locked it first.
///
/// # If a process dies
///
/// A holder that dies may leave the lock inconsistent, as with [`Mutex`](super::Mutex).
///
/// # Examples
///
/// ```
/// use shmkit::sync::named;
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = named::ReentrantMutex::<u64>::options().directory(directory.path());
/// # let open_or_create = |name, value| options.open_or_create(name, value);
/// # /*
/// let log = named::ReentrantMutex::<u64>::open_or_create("log", 0)?;
/// # */
/// # let log = open_or_create("log", 0)?;
/// let outer = log.lock()?;
/// let mut inner = log.lock()?;
/// inner.set(inner.get() + 1);
/// # drop((outer, inner));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ReentrantMutex<T: Shareable = NoData> {
    raw: RawReentrantMutex,
    value: Value<T, USED>,
}

impl<T: Shareable> ReentrantMutex<T> {
    /// Acquires the lock, or acquires it again, and waits while another thread holds it.
    ///
    /// # If a process dies
    ///
    /// A dead holder's lock is acquired, as with [`Mutex::lock`](super::Mutex::lock).
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](super::LockError::OwnerDied), with the only guard of this thread. Or
    /// [`Failed`](super::LockError::Failed): `Closed`, `Corrupt`, `Forked`, `RoleLost`.
    pub fn lock(&self) -> LockResult<ReentrantGuard<'_, T>> {
        self.lock_within(Until::Ever)
    }

    /// Acquires the lock, or acquires it again, if no other thread holds it or its holder is dead.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock).
    pub fn try_lock(&self) -> LockResult<Option<ReentrantGuard<'_, T>>> {
        let acquired = self.raw.acquire(Until::Now);
        lock_error::attempted(acquired, &self.raw.mutex, |acquired| self.locked(acquired))
    }

    /// Acquires the lock, or acquires it again, and waits up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with the holder as [`peer`](crate::Error::peer); and those of
    /// [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> LockResult<ReentrantGuard<'_, T>> {
        self.lock_within(Until::after(timeout))
    }

    /// Acquires the lock, or acquires it again, and waits until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`lock_timeout`](Self::lock_timeout).
    pub fn lock_until(&self, deadline: Instant) -> LockResult<ReentrantGuard<'_, T>> {
        self.lock_within(Until::Deadline(deadline))
    }

    /// Acquires the lock, and overwrites whatever bytes the value has: also bytes that a dead
    /// process left and that are not a valid value. It makes the lock consistent. `value` can be
    /// a value, a reference or a `Box`.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock), but not `Corrupt` for the value.
    pub fn lock_replacing<V: Borrow<T>>(&self, value: V) -> Result<ReentrantGuard<'_, T>> {
        const { check_by_value::<V>("larger than 64 KiB: replace it by a reference or a `Box`") };
        self.acquire(Until::Ever)?;
        let mut guard = ReentrantGuard { lock: self, thread: PhantomData };
        guard.set(value);
        guard.mark_consistent();
        Ok(guard)
    }

    fn lock_within(&self, until: Until) -> LockResult<ReentrantGuard<'_, T>> {
        let acquired = self.acquire(until)?;
        self.locked(acquired)
    }

    fn acquire(&self, until: Until) -> Result<Acquired> {
        self.raw.acquire(until).map_err(|error| self.raw.mutex.refused(error))
    }

    /// The result for a lock that was just acquired.
    fn locked(&self, acquired: Acquired) -> LockResult<ReentrantGuard<'_, T>> {
        // CRASH: dying from here on leaves the lock to the next locker, inconsistent.
        crash_point!("lock: taken");
        // SAFETY: the lock is held.
        let is_valid = unsafe { self.value.is_valid() };
        lock_error::locked(ReentrantGuard { lock: self, thread: PhantomData }, acquired, is_valid)
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<T: Shareable> Payload for ReentrantMutex<T> {
    type Initial = T;

    const KIND: Kind = Kind::ReentrantMutex;
    const ZEROS_ARE_INITIAL: bool = T::ZEROS_VALID;

    fn plan(planner: &mut Planner<'_>, initial: Option<&T>) {
        RawMutex::plan(planner);
        Value::<T, USED>::plan(planner, initial);
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let raw = RawReentrantMutex::build(builder)?;
        let value = Value::build(builder, &raw.mutex.line)?;
        Ok(Self { raw, value })
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        mutex::describe(part)
    }

    fn reap(part: &Part<'_>) -> Result<()> {
        mutex::reap(part)
    }
}

impl<T: Shareable> Primitive for ReentrantMutex<T> {}

/// A [`ReentrantMutex`] that this thread has locked, until all its guards are dropped.
#[must_use = "the lock is released when the guard is dropped"]
pub struct ReentrantGuard<'a, T: Shareable> {
    lock: &'a ReentrantMutex<T>,
    /// It cannot be sent to another thread.
    thread: PhantomData<*mut ()>,
}

impl<T: Shareable> ReentrantGuard<'_, T> {
    /// Returns a copy of the value.
    pub fn get(&self) -> T {
        const { check_by_value::<T>("larger than 64 KiB: use `get_boxed`") };
        // SAFETY: the lock is held, the bytes were checked to be a value, and no other reference to
        // them exists.
        unsafe { self.lock.value.read() }
    }

    /// Returns a copy of the value on the heap, of any size.
    pub fn get_boxed(&self) -> Box<T> {
        // SAFETY: as in `get`.
        unsafe { self.lock.value.read_boxed() }
    }

    /// Overwrites the value with a value, or with that of a reference or a `Box`.
    pub fn set<V: Borrow<T>>(&mut self, value: V) {
        const { check_by_value::<V>("larger than 64 KiB: pass a reference or a `Box`") };
        let value = value.borrow();
        // SAFETY: the lock is held, and no guard of it makes references.
        unsafe { self.lock.value.set(value) };
    }

    /// Returns how many guards of the lock this thread has.
    pub fn depth(&self) -> u64 {
        self.lock.raw.depth()
    }

    /// Marks the value as consistent: this thread has repaired what a dead holder may have left
    /// half-changed.
    pub fn mark_consistent(&mut self) {
        self.lock.raw.mutex.mark_consistent();
    }

    /// Returns whether no holder died since the lock was last marked consistent.
    pub fn is_consistent(&self) -> bool {
        self.lock.raw.mutex.is_consistent()
    }
}

impl<T: Shareable> Drop for ReentrantGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.raw.release();
    }
}

impl<T: Shareable> lock_error::sealed::Sealed for ReentrantGuard<'_, T> {}

#[allow(private_interfaces, reason = "guards are made by this library only")]
impl<T: Shareable> Guard for ReentrantGuard<'_, T> {
    type Value<'v> = T;

    fn check(&mut self, condition: impl FnOnce(Self::Value<'_>) -> bool) -> bool {
        condition(self.get())
    }

    fn membership(&self) -> &Membership {
        self.lock.raw.mutex.membership()
    }

    fn holder_is_dead(&self) -> bool {
        self.lock.raw.mutex.holder_is_dead()
    }

    fn check_wait(&self) -> Result<()> {
        self.lock.raw.check_wait()
    }

    fn suspend(&mut self) {
        self.lock.raw.release_wholly();
    }

    fn resume(&mut self) -> Result<Acquired> {
        lock_error::resumed(self.lock.lock())
    }
}
