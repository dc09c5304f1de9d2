//! A value that one thread at a time may use, in whatever process.
#![allow(unsafe_code, reason = "references to the value of a held lock")]

use std::borrow::Borrow;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::lock_error::{self, Guard, LockResult};
use super::raw::mutex::{self, RawMutex, USED};
use super::value::{NoData, Value};
use crate::error::Result;
use crate::memory::atomic::{AtomicBool, Ordering};
use crate::object::{
    Builder, Kind, Membership, Object, Options, Part, PartState, Payload, Planner, Primitive,
    Watched,
};
use crate::participant::owner::{AcquireError, Acquired, Mode};
use crate::shareable::{Shareable, check_by_value};
use crate::wait::Until;

/// A value that one thread at a time may use, in whatever process.
///
/// While no other thread wants the lock, acquiring and releasing it cost one compare-exchange each.
/// A thread that has to wait looks for a moment and then sleeps; a thread that has waited for long
/// gets the lock by a handoff. The guard refers to the value in shared memory: no copy is made.
/// That trusts other processes to change the value under the lock only.
///
/// It is not reentrant: a thread that locks it twice waits for itself.
///
/// A panic does not make the lock inconsistent: the guard is dropped normally. A process that ends
/// without dropping the guard, for example by calling `exit`, counts as dead.
///
/// # If a process dies
///
/// A holder that dies may leave the value half-changed. The next locker gets
/// [`OwnerDied`](super::LockError::OwnerDied), and so does each locker after it until one calls
/// [`mark_consistent`](MutexGuard::mark_consistent). A process that dies while it waits holds
/// nothing. A process that is stopped keeps what it holds.
///
/// # Examples
///
/// ```
/// use shmkit::sync::{LockError, named};
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = named::Mutex::<[u64; 2]>::options().directory(directory.path());
/// # let open_or_create = |name, value| options.open_or_create(name, value);
/// # /*
/// let accounts = named::Mutex::<[u64; 2]>::open_or_create("accounts", [100, 0])?;
/// # */
/// # let accounts = open_or_create("accounts", [100, 0])?;
/// let mut balance = match accounts.lock() {
///     Err(LockError::OwnerDied(mut balance)) => {
///         // The holder died between the two steps below.
///         balance[1] = 100 - balance[0];
///         balance.mark_consistent();
///         balance
///     }
///     answer => answer?,
/// };
/// balance[0] -= 10;
/// balance[1] += 10;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Mutex<T: Shareable = NoData> {
    raw: RawMutex,
    value: Value<T, USED>,
    /// Whether the handle created the mutex locked, and no thread has the guard yet.
    is_set_aside: AtomicBool,
}

impl<T: Shareable> Mutex<T> {
    /// Acquires the lock, and waits while another thread holds it.
    ///
    /// # If a process dies
    ///
    /// A dead holder's lock is acquired, at once or within 50 ms.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](super::LockError::OwnerDied), with the lock. Or
    /// [`Failed`](super::LockError::Failed): `Closed` if the object was removed; `Corrupt` if its
    /// bytes are not a valid value of the type, or its word holds garbage (see
    /// [`lock_replacing`](Self::lock_replacing)); `Forked` in a forked child; `RoleLost` if the
    /// process closed the descriptor of its liveness lock.
    #[inline]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.lock_within(|| Until::Ever)
    }

    /// Acquires the lock if no thread holds it, or if its holder is dead.
    ///
    /// # If a process dies
    ///
    /// The death is found on a death notice, or else 25 ms after the handle's last check for one: a
    /// check costs a system call.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock).
    #[inline]
    pub fn try_lock(&self) -> LockResult<Option<MutexGuard<'_, T>>> {
        let acquired = self.acquire_raw(|| Until::Now);
        lock_error::attempted(acquired, &self.raw, |acquired| self.locked(acquired))
    }

    /// Acquires the lock, and waits up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with the holder as [`peer`](crate::Error::peer); and those of
    /// [`lock`](Self::lock).
    #[inline]
    pub fn lock_timeout(&self, timeout: Duration) -> LockResult<MutexGuard<'_, T>> {
        self.lock_within(|| Until::after(timeout))
    }

    /// Acquires the lock, and waits until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`lock_timeout`](Self::lock_timeout).
    #[inline]
    pub fn lock_until(&self, deadline: Instant) -> LockResult<MutexGuard<'_, T>> {
        self.lock_within(|| Until::Deadline(deadline))
    }

    /// Acquires the lock, and overwrites whatever bytes the value has: also bytes that a dead
    /// process left and that are not a valid value. It makes the lock consistent. `value` can be
    /// a value, a reference or a `Box`.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock), but not `Corrupt` for the value.
    pub fn lock_replacing<V: Borrow<T>>(&self, value: V) -> Result<MutexGuard<'_, T>> {
        const { check_by_value::<V>("larger than 64 KiB: replace it by a reference or a `Box`") };
        // The caller's code: it may panic, so it runs before the lock is held.
        let value = value.borrow();
        self.acquire(|| Until::Ever)?;
        // SAFETY: the lock is held.
        unsafe { self.value.set(value) };
        let mut guard = MutexGuard { mutex: self };
        guard.mark_consistent();
        Ok(guard)
    }

    #[inline(always)]
    fn lock_within(&self, until: impl FnOnce() -> Until) -> LockResult<MutexGuard<'_, T>> {
        let acquired = self.acquire(until)?;
        self.locked(acquired)
    }

    #[inline(always)]
    fn acquire(&self, until: impl FnOnce() -> Until) -> Result<Acquired> {
        self.acquire_raw(until).map_err(|error| self.raw.refused(error))
    }

    #[inline(always)]
    fn acquire_raw(&self, until: impl FnOnce() -> Until) -> Result<Acquired, AcquireError> {
        match self.raw.acquire_uncontended(Mode::Exclusive) {
            true => Ok(Acquired::Clean),
            false => self.acquire_slowly(until()),
        }
    }

    #[cold]
    fn acquire_slowly(&self, until: Until) -> Result<Acquired, AcquireError> {
        // A forked child has a copy of the mark, and the slot or the object can have been lost.
        if self.raw.is_held() && self.takes_what_is_set_aside() {
            return Ok(Acquired::Clean);
        }
        self.raw.acquire_slowly(Mode::Exclusive, until)
    }

    /// What a source needs.
    pub(super) fn watched(&self) -> (Watched, u64) {
        (self.raw.membership().watched(), self.raw.line.place())
    }

    /// Acquires a new lock for the first thread that locks it through this handle.
    fn set_aside(&self) -> Result<()> {
        self.acquire(|| Until::Now)?;
        // ORDERING: Relaxed; a thread that has the handle sees what was stored before it got it.
        self.is_set_aside.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the lock was set aside, and this thread is the first that asks.
    fn takes_what_is_set_aside(&self) -> bool {
        // ORDERING: Relaxed; as in `set_aside`, and the exchange decides between two threads.
        self.is_set_aside.load(Ordering::Relaxed)
            && self.is_set_aside.swap(false, Ordering::Relaxed)
    }

    /// The result for a lock that was just acquired.
    #[inline(always)]
    fn locked(&self, acquired: Acquired) -> LockResult<MutexGuard<'_, T>> {
        // CRASH: dying from here on leaves the lock to the next locker, inconsistent.
        crash_point!("lock: taken");
        // SAFETY: the lock is held.
        let is_valid = unsafe { self.value.is_valid() };
        lock_error::locked(MutexGuard { mutex: self }, acquired, is_valid)
    }
}

impl<T: Shareable> Drop for Mutex<T> {
    fn drop(&mut self) {
        if self.takes_what_is_set_aside() {
            self.raw.release();
        }
    }
}

impl<T: Shareable> Options<Mutex<T>> {
    /// Creates the mutex as [`create`](Self::create) does, locked by the handle that this returns:
    /// no other handle acquires the lock first.
    ///
    /// The first call that locks it through this handle, in whatever thread, gets the lock. If the
    /// handle is dropped before, the lock is released.
    ///
    /// # If a process dies
    ///
    /// The next locker gets [`OwnerDied`](super::LockError::OwnerDied), also if no thread had the
    /// guard. A creator that dies before it has acquired the lock leaves a whole mutex that is not
    /// locked, or none. If it is stopped there, opening and removing the mutex fail with `Busy`
    /// after a second.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create).
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::sync::named;
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let options = named::Mutex::<[u64; 2]>::options().directory(directory.path());
    /// # /*
    /// let options = named::Mutex::<[u64; 2]>::options();
    /// # */
    /// let accounts = options.create_locked("accounts", [0, 0])?;
    /// let mut balance = accounts.lock()?; // at once
    /// // Others wait until what they rely on is there, too.
    /// balance[0] = 100;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "bInitialOwner")]
    pub fn create_locked<I: Borrow<T>>(&self, name: &str, initial: I) -> Result<Object<Mutex<T>>> {
        const { check_by_value::<I>("larger than 64 KiB: pass a reference or a `Box`") };
        Object::create_gated(name, &self.choices, initial.borrow(), Mutex::set_aside)
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<T: Shareable> Payload for Mutex<T> {
    type Initial = T;

    const KIND: Kind = Kind::Mutex;
    const ZEROS_ARE_INITIAL: bool = T::ZEROS_VALID;

    fn plan(planner: &mut Planner<'_>, initial: Option<&T>) {
        RawMutex::plan(planner);
        Value::<T, USED>::plan(planner, initial);
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let raw = RawMutex::build(builder)?;
        let value = Value::build(builder, &raw.line)?;
        Ok(Self { raw, value, is_set_aside: AtomicBool::new(false) })
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        mutex::describe(part)
    }

    fn reap(part: &Part<'_>) -> Result<()> {
        mutex::reap(part)
    }
}

impl<T: Shareable> Primitive for Mutex<T> {}

/// A [`Mutex`] that is locked, until this guard is dropped.
///
/// A child that inherited the guard by `fork` does not hold the lock, and must not use the value.
#[must_use = "the lock is released when the guard is dropped"]
pub struct MutexGuard<'a, T: Shareable> {
    mutex: &'a Mutex<T>,
}

impl<T: Shareable> MutexGuard<'_, T> {
    /// Marks the value as consistent: this thread has repaired what a dead holder may have left
    /// half-changed.
    pub fn mark_consistent(&mut self) {
        self.mutex.raw.mark_consistent();
    }

    /// Returns whether no holder died since the lock was last marked consistent.
    pub fn is_consistent(&self) -> bool {
        self.mutex.raw.is_consistent()
    }
}

impl<T: Shareable> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.release();
    }
}

impl<T: Shareable> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held, and `locked` checked that the bytes are a value.
        unsafe { self.mutex.value.get() }
    }
}

impl<T: Shareable> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the lock is exclusive, and `self` is borrowed mutably.
        unsafe { self.mutex.value.get_mut() }
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Shareable> lock_error::sealed::Sealed for MutexGuard<'_, T> {}

#[allow(private_interfaces, reason = "guards are made by this library only")]
impl<T: Shareable> Guard for MutexGuard<'_, T> {
    type Value<'v> = &'v mut T;

    fn check(&mut self, condition: impl FnOnce(Self::Value<'_>) -> bool) -> bool {
        condition(self)
    }

    fn membership(&self) -> &Membership {
        self.mutex.raw.membership()
    }

    fn holder_is_dead(&self) -> bool {
        self.mutex.raw.holder_is_dead()
    }

    fn suspend(&mut self) {
        self.mutex.raw.release();
    }

    fn resume(&mut self) -> Result<Acquired> {
        lock_error::resumed(self.mutex.lock())
    }
}
