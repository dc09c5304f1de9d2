//! The guards of an [`RwLock`](crate::sync::RwLock), and how one becomes another.
#![allow(unsafe_code, reason = "references to the value of a held lock")]

use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::object::Membership;
use crate::participant::owner::{AcquireError, Acquired};
use crate::shareable::Shareable;
use crate::sync::lock_error::{self, Guard, LockResult};
use crate::sync::raw::rwlock::{Hold, RawRwLock, USED};
use crate::sync::value::Value;
use crate::wait::Until;

/// The words of an [`RwLock`](crate::sync::RwLock), and its value: what its guards refer to.
#[derive(Debug)]
pub(super) struct Locked<T: Shareable> {
    pub(super) raw: RawRwLock,
    pub(super) value: Value<T, USED>,
}

impl<T: Shareable> Locked<T> {
    #[inline(always)]
    pub(super) fn acquire<'a, G: GuardOf<'a, T>>(&'a self, until: Until) -> LockResult<G> {
        let acquired = self.raw.acquire(G::HOLD, until);
        let acquired = acquired.map_err(|error| self.raw.owner.refused(error))?;
        self.locked(acquired)
    }

    #[inline(always)]
    pub(super) fn attempt<'a, G: GuardOf<'a, T>>(&'a self) -> LockResult<Option<G>> {
        let acquired = self.raw.acquire(G::HOLD, Until::Now);
        lock_error::attempted(acquired, &self.raw.owner, |acquired| self.locked(acquired))
    }

    /// The result for a lock that was just acquired.
    #[inline(always)]
    fn locked<'a, G: GuardOf<'a, T>>(&'a self, acquired: Acquired) -> LockResult<G> {
        crash_point!("rwlock: taken");
        // SAFETY: the lock is held, in the way of the guard.
        let is_valid = unsafe { self.value.is_valid() };
        lock_error::locked(G::of(self), acquired, is_valid)
    }
}

/// Shared access to an [`RwLock`](crate::sync::RwLock) for reading, until this guard is dropped.
///
/// A child that inherited the guard by `fork` does not hold the lock, and must not use the value.
/// The same is true of the other guards.
#[must_use = "the lock is released when the guard is dropped"]
pub struct ReadGuard<'a, T: Shareable> {
    lock: &'a Locked<T>,
}

/// Shared access to an [`RwLock`](crate::sync::RwLock) for reading that can be upgraded to
/// exclusive access.
#[must_use = "the lock is released when the guard is dropped"]
pub struct UpgradableGuard<'a, T: Shareable> {
    lock: &'a Locked<T>,
}

/// Exclusive access to an [`RwLock`](crate::sync::RwLock) for writing, until this guard is dropped.
#[must_use = "the lock is released when the guard is dropped"]
pub struct WriteGuard<'a, T: Shareable> {
    lock: &'a Locked<T>,
}

/// A guard that was not upgraded: it is as it was.
pub struct NotUpgraded<G> {
    /// The guard.
    pub guard: G,
    /// Why. None if other holders were in the way of an attempt.
    pub error: Option<Error>,
}

impl<G: Guard> From<NotUpgraded<G>> for Error {
    /// Releases the lock.
    fn from(not: NotUpgraded<G>) -> Self {
        let busy =
            || not.guard.membership().error(ErrorKind::Busy, "upgrade", "other holders share it");
        not.error.unwrap_or_else(busy)
    }
}

impl<G> fmt::Debug for NotUpgraded<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotUpgraded").field("error", &self.error).finish_non_exhaustive()
    }
}

/// Which way of holding the lock a guard stands for.
pub(super) trait GuardOf<'a, T: Shareable>: Guard {
    const HOLD: Hold;

    /// The guard of a lock that is held in this way.
    fn of(lock: &'a Locked<T>) -> Self;
}

/// Turns `guard` into another one, if the lock was upgraded.
fn upgraded<'a, T: Shareable, G: Guard, U: GuardOf<'a, T>>(
    guard: G,
    lock: &'a Locked<T>,
    outcome: Result<(), AcquireError>,
) -> Result<U, NotUpgraded<G>> {
    let error = match outcome {
        Ok(()) => {
            mem::forget(guard);
            return Ok(U::of(lock));
        }
        Err(AcquireError::Held(_) | AcquireError::Contended) => None,
        Err(error) => Some(guard.membership().acquire_error(error, "lock")),
    };
    Err(NotUpgraded { guard, error })
}

impl<'a, T: Shareable> ReadGuard<'a, T> {
    /// Upgrades it to a write guard, if there is no other holder.
    ///
    /// # Errors
    ///
    /// [`NotUpgraded`], with this guard.
    pub fn try_upgrade(self) -> Result<WriteGuard<'a, T>, NotUpgraded<Self>> {
        let lock = self.lock;
        upgraded(self, lock, lock.raw.try_upgrade_reader())
    }

    /// Makes it upgradable, if no other guard is, and no writer waits.
    ///
    /// # Errors
    ///
    /// [`NotUpgraded`], with this guard.
    pub fn try_into_upgradable(self) -> Result<UpgradableGuard<'a, T>, NotUpgraded<Self>> {
        let lock = self.lock;
        upgraded(self, lock, lock.raw.try_into_upgradable())
    }
}

impl<'a, T: Shareable> UpgradableGuard<'a, T> {
    /// Upgrades it to a write guard, and waits until all readers have left. No other writer comes
    /// in between.
    ///
    /// # If a process dies
    ///
    /// Dead readers are not waited for.
    ///
    /// # Errors
    ///
    /// [`NotUpgraded`], with this guard: `Forked`, `RoleLost`; `Closed` if the object was removed.
    pub fn upgrade(self) -> Result<WriteGuard<'a, T>, NotUpgraded<Self>> {
        self.upgrade_within(Until::Ever)
    }

    /// Upgrades it to a write guard, if no other reader shares it.
    ///
    /// # Errors
    ///
    /// Those of [`upgrade`](Self::upgrade).
    pub fn try_upgrade(self) -> Result<WriteGuard<'a, T>, NotUpgraded<Self>> {
        self.upgrade_within(Until::Now)
    }

    /// Upgrades it to a write guard, and waits up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`upgrade`](Self::upgrade).
    pub fn upgrade_timeout(
        self,
        timeout: Duration,
    ) -> Result<WriteGuard<'a, T>, NotUpgraded<Self>> {
        self.upgrade_within(Until::after(timeout))
    }

    /// Upgrades it to a write guard, and waits until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`upgrade_timeout`](Self::upgrade_timeout).
    pub fn upgrade_until(self, deadline: Instant) -> Result<WriteGuard<'a, T>, NotUpgraded<Self>> {
        self.upgrade_within(Until::Deadline(deadline))
    }

    /// Downgrades it to a read guard. Another guard can be upgradable then.
    pub fn downgrade(self) -> ReadGuard<'a, T> {
        let lock = self.lock;
        lock.raw.downgrade_to_reader();
        mem::forget(self);
        ReadGuard { lock }
    }

    fn upgrade_within(self, until: Until) -> Result<WriteGuard<'a, T>, NotUpgraded<Self>> {
        let lock = self.lock;
        upgraded(self, lock, lock.raw.upgrade(until))
    }
}

impl<'a, T: Shareable> WriteGuard<'a, T> {
    /// Marks the value as consistent: this thread has repaired what a dead writer may have left
    /// half-changed.
    pub fn mark_consistent(&mut self) {
        self.lock.raw.owner.mark_consistent();
    }

    /// Returns whether no writer died since the lock was last marked consistent.
    pub fn is_consistent(&self) -> bool {
        self.lock.raw.owner.is_consistent()
    }

    /// Downgrades it to a read guard. No writer comes in between.
    pub fn downgrade(self) -> ReadGuard<'a, T> {
        let lock = self.lock;
        lock.raw.downgrade_to_reader();
        mem::forget(self);
        ReadGuard { lock }
    }

    /// Downgrades it to an upgradable guard. No writer comes in between.
    pub fn downgrade_to_upgradable(self) -> UpgradableGuard<'a, T> {
        let lock = self.lock;
        lock.raw.downgrade_to_upgradable();
        mem::forget(self);
        UpgradableGuard { lock }
    }
}

impl<T: Shareable> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held exclusively, the bytes were checked to be a value, and `self` is
        // borrowed mutably.
        unsafe { self.lock.value.get_mut() }
    }
}

/// What the guards have in common, which hold the lock in the way `$hold` and give a `$reference`
/// to the value.
macro_rules! guard {
    ($guard:ident, $hold:expr, $($reference:tt)+) => {
        impl<'a, T: Shareable> GuardOf<'a, T> for $guard<'a, T> {
            const HOLD: Hold = $hold;

            #[inline(always)]
            fn of(lock: &'a Locked<T>) -> Self {
                Self { lock }
            }
        }

        impl<T: Shareable> Drop for $guard<'_, T> {
            #[inline]
            fn drop(&mut self) {
                self.lock.raw.release($hold);
            }
        }

        impl<T: Shareable> Deref for $guard<'_, T> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                // SAFETY: the lock is held, and the bytes were checked to be a value.
                unsafe { self.lock.value.get() }
            }
        }

        impl<T: Shareable + fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: Shareable> lock_error::sealed::Sealed for $guard<'_, T> {}

        #[allow(private_interfaces, reason = "guards are made by this library only")]
        impl<T: Shareable> Guard for $guard<'_, T> {
            type Value<'v> = $($reference)+ T;

            fn check(&mut self, condition: impl FnOnce(Self::Value<'_>) -> bool) -> bool {
                condition(self)
            }

            fn membership(&self) -> &Membership {
                self.lock.raw.owner.membership()
            }

            fn holder_is_dead(&self) -> bool {
                self.lock.raw.owner.holder_is_dead()
            }

            fn suspend(&mut self) {
                self.lock.raw.release($hold);
            }

            fn resume(&mut self) -> Result<Acquired> {
                lock_error::resumed(self.lock.acquire::<Self>(Until::Ever))
            }
        }
    };
}

guard!(ReadGuard, Hold::Read, &'v);
guard!(UpgradableGuard, Hold::Upgradable, &'v);
guard!(WriteGuard, Hold::Write, &'v mut);
