//! A value that one at a time may use, in whatever process.
#![allow(unsafe_code, reason = "references to what a held lock guards")]

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::lock_error::{self, Guard, LockError, LockResult, attempted};
use super::membership::{Line, Membership};
use super::owner::{AcquireError, Mode, OwnerWord};
use super::parts::{Builder, Planner, sealed::Parts};
use super::spin::Spin;
use super::until::Until;
use super::value::{NoData, Value};
use crate::error::Result;
use crate::object::Kind;
use crate::shareable::Shareable;

/// A value that one at a time may use, in whatever process.
///
/// Taking it and giving it back cost one compare-exchange each while nobody else wants it. Who has
/// to wait looks for a moment and then sleeps; who has waited for long gets the next turn. The
/// guard's reference leads into shared memory, to where the value is: no copy is made. That trusts
/// the other processes to change the value under the lock alone.
///
/// It is not reentrant: a thread that takes it again waits for itself.
///
/// A panic marks nothing: the guard is dropped in good order. A process that ends without dropping
/// it, as by `exit`, counts as dead.
///
/// # If a process dies
///
/// Who dies while it holds the lock may leave the value half-changed. The next who takes it is told
/// [`OwnerDied`](LockError::OwnerDied), and so is everybody after it until one calls
/// [`mark_consistent`](MutexGuard::mark_consistent). Who dies waiting takes nothing. A process that
/// is stopped keeps what it holds.
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
///         // Somebody died between the two steps below.
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
    line: Line,
    value: Value<T, 8>,
    spin: Spin,
}

impl<T: Shareable> Mutex<T> {
    /// Takes the lock, waiting for as long as others have it.
    ///
    /// # If a process dies
    ///
    /// A dead holder's lock is taken over: at once, if this handle has not asked about a death in
    /// the last 50 ms, or else at the end of these.
    ///
    /// # Errors
    ///
    /// [`LockError::OwnerDied`], with the lock. Or [`LockError::Failed`]: `Closed` if the object
    /// was removed; `Corrupt` if its bytes are no value of the type, or its word is garbage (see
    /// [`lock_replacing`](Self::lock_replacing)); `Forked` in a forked child; `RoleLost` if the
    /// process closed descriptors that were not its own.
    #[inline]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.lock_within(Until::Ever)
    }

    /// Takes the lock if nobody has it, or a dead one.
    ///
    /// # If a process dies
    ///
    /// Each handle asks about a death once in 50 ms at the most, since that takes the system.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn try_lock(&self) -> LockResult<Option<MutexGuard<'_, T>>> {
        if self.take_at_once() {
            return attempted(self.taken(false));
        }
        self.try_lock_slowly()
    }

    /// Takes the lock, waiting up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, naming who has it; and as [`lock`](Self::lock).
    #[inline]
    pub fn lock_timeout(&self, timeout: Duration) -> LockResult<MutexGuard<'_, T>> {
        if self.take_at_once() {
            return self.taken(false);
        }
        self.lock_slowly(Until::after(timeout))
    }

    /// Takes the lock, waiting until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`lock_timeout`](Self::lock_timeout).
    #[inline]
    pub fn lock_until(&self, deadline: Instant) -> LockResult<MutexGuard<'_, T>> {
        self.lock_within(Until::Deadline(deadline))
    }

    /// Takes the lock, and puts `value` in place of whatever bytes are there: also where a dead
    /// process left none that are a value. No mark of a death is left.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), but for what it says of the value.
    pub fn lock_replacing(&self, value: T) -> Result<MutexGuard<'_, T>> {
        self.acquire(Until::Ever)?;
        // SAFETY: the lock is held.
        unsafe { self.value.set(value) };
        let mut guard = MutexGuard { mutex: self };
        guard.mark_consistent();
        Ok(guard)
    }

    #[inline(always)]
    fn lock_within(&self, until: Until) -> LockResult<MutexGuard<'_, T>> {
        if self.take_at_once() { self.taken(false) } else { self.lock_slowly(until) }
    }

    #[inline(always)]
    pub(super) fn value(&self) -> &Value<T, 8> {
        &self.value
    }

    /// Gives back what this process has.
    #[inline]
    pub(super) fn unlock(&self) {
        let membership = self.membership();
        if membership.is_mine() {
            self.owner().release(membership.me());
        }
    }

    pub(super) fn mark_consistent(&self) {
        self.owner().unmark(self.membership().me());
    }

    pub(super) fn is_consistent(&self) -> bool {
        !self.owner().look().is_inconsistent()
    }

    pub(super) fn holder_is_dead(&self) -> bool {
        self.membership().holder_is_dead(self.owner())
    }

    pub(super) fn plan_as(name: &str, planner: &mut Planner, initial: Option<&T>) {
        let line = planner.line(name);
        Value::<T, 8>::plan(planner, line, initial);
    }

    #[inline(always)]
    pub(super) fn membership(&self) -> &Membership {
        self.line.membership()
    }

    #[inline(always)]
    fn owner(&self) -> OwnerWord<'_> {
        OwnerWord::lock(&self.line.fixed()[0])
    }

    #[inline(always)]
    fn take_at_once(&self) -> bool {
        self.membership().is_well()
            && self.owner().acquire_at_once(self.membership().me(), Mode::Exclusive)
    }

    #[cold]
    fn lock_slowly(&self, until: Until) -> LockResult<MutexGuard<'_, T>> {
        let marked = self.acquire(until)?;
        self.taken(marked)
    }

    #[cold]
    fn try_lock_slowly(&self) -> LockResult<Option<MutexGuard<'_, T>>> {
        let membership = self.membership();
        membership.check()?;
        match self.owner().attempt(membership.me(), Mode::Exclusive, &self.line) {
            Ok(_) => {
                let marked = self.owner().look().is_inconsistent();
                attempted(self.taken(marked))
            }
            Err(AcquireError::Held(_) | AcquireError::Busy) => Ok(None),
            Err(refused) => Err(membership.refused(refused, "lock").into()),
        }
    }

    /// Takes the lock. True if it is marked by a death.
    fn acquire(&self, until: Until) -> Result<bool> {
        let membership = self.membership();
        membership.check()?;
        let _waiting = membership.waiting(self.line.place());
        let taken =
            self.owner().acquire(membership.me(), Mode::Exclusive, &self.line, &self.spin, until);
        taken.map_err(|refused| membership.refused(refused, "lock"))?;
        Ok(self.owner().look().is_inconsistent())
    }

    /// The guard of a lock that was just taken.
    #[inline(always)]
    fn taken(&self, marked: bool) -> LockResult<MutexGuard<'_, T>> {
        // CRASH: dying from here on leaves the lock to who asks about its holder, marked.
        crash_point!("lock: taken");
        let guard = MutexGuard { mutex: self };
        // SAFETY: the lock is held.
        if !unsafe { self.value.is_valid() } {
            return Err(self.membership().corrupt("lock", lock_error::NO_VALUE).into());
        }
        if marked { Err(LockError::OwnerDied(guard)) } else { Ok(guard) }
    }
}

#[allow(private_interfaces, reason = "nobody else makes primitives")]
impl<T: Shareable> Parts for Mutex<T> {
    type Initial = T;
    const KIND: Kind = Kind::Mutex;

    fn plan(planner: &mut Planner, initial: Option<&T>) {
        Self::plan_as("mutex", planner, initial);
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let line = builder.line()?;
        let value = Value::build(builder, &line)?;
        Ok(Self { line, value, spin: Spin::default() })
    }
}

/// A [`Mutex`] that is locked, until this is dropped.
///
/// A child that inherited it by `fork` has the lock no more than the value: it must not use it.
#[must_use = "the lock is given back when this is dropped"]
pub struct MutexGuard<'a, T: Shareable> {
    mutex: &'a Mutex<T>,
}

impl<T: Shareable> MutexGuard<'_, T> {
    /// Says that what a dead process may have left half-changed is mended.
    pub fn mark_consistent(&mut self) {
        self.mutex.mark_consistent();
    }

    /// Whether no process died with the lock since somebody last said that all is mended.
    pub fn is_consistent(&self) -> bool {
        self.mutex.is_consistent()
    }

    /// Leaves the lock to another guard of it.
    fn stays<V>(self, value: V) -> V {
        std::mem::forget(self);
        value
    }
}

impl<T: Shareable> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.unlock();
    }
}

impl<T: Shareable> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held, and `taken` found a value.
        unsafe { self.mutex.value.get() }
    }
}

impl<T: Shareable> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the lock excludes everybody, and `self` is borrowed alone.
        unsafe { self.mutex.value.get_mut() }
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Shareable> lock_error::sealed::Sealed for MutexGuard<'_, T> {}

#[allow(private_interfaces, reason = "nobody else makes guards")]
impl<T: Shareable> Guard for MutexGuard<'_, T> {
    fn membership(&self) -> &Membership {
        self.mutex.membership()
    }

    fn holder_is_dead(&self) -> bool {
        self.mutex.holder_is_dead()
    }

    fn suspend(&mut self) {
        self.mutex.unlock();
    }

    fn resume(&mut self) -> Result<bool> {
        match self.mutex.lock() {
            Ok(guard) => Ok(guard.stays(false)),
            Err(LockError::OwnerDied(guard)) => Ok(guard.stays(true)),
            Err(LockError::Failed(error)) => Err(error),
        }
    }
}
