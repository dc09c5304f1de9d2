//! What has an [`RwLock`], and how one way to have it becomes another.
#![allow(unsafe_code, reason = "references to what a held lock guards")]

use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::RwLock;
use crate::error::{Error, ErrorKind, Result};
use crate::shareable::Shareable;
use crate::sync::lock_error::{self, Guard};
use crate::sync::membership::Membership;
use crate::sync::owner::Mode;
use crate::sync::until::Until;

/// An [`RwLock`] that is had to read, with others, until this is dropped.
///
/// A child that inherited it by `fork` has the lock no more than the value: it must not use it. So
/// it is with the other guards.
#[must_use = "the lock is given back when this is dropped"]
pub struct ReadGuard<'a, T: Shareable> {
    pub(super) lock: &'a RwLock<T>,
}

/// An [`RwLock`] that is had to read, with others, and by this one alone to write later.
#[must_use = "the lock is given back when this is dropped"]
pub struct UpgradableGuard<'a, T: Shareable> {
    pub(super) lock: &'a RwLock<T>,
}

/// An [`RwLock`] that is had to write, alone, until this is dropped.
#[must_use = "the lock is given back when this is dropped"]
pub struct WriteGuard<'a, T: Shareable> {
    pub(super) lock: &'a RwLock<T>,
}

/// A guard that could not be turned into a stronger one: it is as it was.
pub struct NotUpgraded<G> {
    /// The guard.
    pub guard: G,
    /// Why: nothing if others merely stood in the way of an attempt.
    pub error: Option<Error>,
}

impl<G: Guard> From<NotUpgraded<G>> for Error {
    /// Gives the lock back.
    fn from(not: NotUpgraded<G>) -> Self {
        let busy = || {
            let why = "others have it, too".into();
            not.guard.membership().error(ErrorKind::Busy, "upgrade", why)
        };
        not.error.unwrap_or_else(busy)
    }
}

impl<G> fmt::Debug for NotUpgraded<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotUpgraded").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<'a, T: Shareable> ReadGuard<'a, T> {
    /// Turns it into one to write, if it is the only one.
    ///
    /// # Errors
    ///
    /// [`NotUpgraded`], with this guard.
    pub fn try_upgrade(self) -> Result<WriteGuard<'a, T>, NotUpgraded<Self>> {
        let (lock, me) = (self.lock, self.lock.membership().me());
        if let Err(error) = lock.membership().check() {
            return Err(NotUpgraded { guard: self, error: Some(error) });
        }
        match lock.owner().attempt(me, Mode::Draining, &lock.line) {
            Ok(_) => {}
            Err(refused) => return Err(self.not_upgraded(lock.outcome(Err(refused), Until::Now))),
        }
        // Nobody comes in between: the owner word is had.
        lock.shares().unshare(me);
        match lock.shares().drain(me, &lock.line, &lock.habit, Until::Now) {
            Ok(()) => {
                mem::forget(self);
                Ok(WriteGuard { lock })
            }
            Err(refused) => {
                lock.shares().share_more(me);
                lock.owner().release(me);
                Err(self.not_upgraded(lock.outcome(Err(refused), Until::Now)))
            }
        }
    }

    /// Turns it into an upgradable one, if there is none.
    ///
    /// # Errors
    ///
    /// [`NotUpgraded`], with this guard.
    pub fn try_into_upgradable(self) -> Result<UpgradableGuard<'a, T>, NotUpgraded<Self>> {
        let (lock, me) = (self.lock, self.lock.membership().me());
        if let Err(error) = lock.membership().check() {
            return Err(NotUpgraded { guard: self, error: Some(error) });
        }
        match lock.owner().attempt(me, Mode::Upgradable, &lock.line) {
            Ok(_) => {
                // It shares by the owner word from here on.
                drop(self);
                Ok(UpgradableGuard { lock })
            }
            Err(refused) => Err(self.not_upgraded(lock.outcome(Err(refused), Until::Now))),
        }
    }

    fn not_upgraded(self, outcome: Result<Option<()>>) -> NotUpgraded<Self> {
        NotUpgraded { guard: self, error: outcome.err() }
    }
}

impl<'a, T: Shareable> UpgradableGuard<'a, T> {
    /// Turns it into one to write, waiting until those who share it have left. Nobody writes in
    /// between.
    ///
    /// # If a process dies
    ///
    /// Dead readers are not waited for.
    ///
    /// # Errors
    ///
    /// [`NotUpgraded`], with this guard: `Closed` if the object was removed.
    pub fn upgrade(self) -> Result<WriteGuard<'a, T>, NotUpgraded<Self>> {
        self.upgrade_within(Until::Ever)
    }

    /// Turns it into one to write, if nobody shares it.
    ///
    /// # Errors
    ///
    /// As [`upgrade`](Self::upgrade).
    pub fn try_upgrade(self) -> Result<WriteGuard<'a, T>, NotUpgraded<Self>> {
        self.upgrade_within(Until::Now)
    }

    /// Turns it into one to write, waiting up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and as [`upgrade`](Self::upgrade).
    pub fn upgrade_timeout(
        self,
        timeout: Duration,
    ) -> Result<WriteGuard<'a, T>, NotUpgraded<Self>> {
        self.upgrade_within(Until::after(timeout))
    }

    /// Turns it into one to write, waiting until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`upgrade_timeout`](Self::upgrade_timeout).
    pub fn upgrade_until(self, deadline: Instant) -> Result<WriteGuard<'a, T>, NotUpgraded<Self>> {
        self.upgrade_within(Until::Deadline(deadline))
    }

    /// Turns it into one to read, with others of which one may be upgradable.
    pub fn downgrade(self) -> ReadGuard<'a, T> {
        let lock = self.lock;
        lock.shares().share_more(lock.membership().me());
        drop(self);
        ReadGuard { lock }
    }

    fn upgrade_within(self, until: Until) -> Result<WriteGuard<'a, T>, NotUpgraded<Self>> {
        let lock = self.lock;
        if let Err(error) = lock.membership().check() {
            return Err(NotUpgraded { guard: self, error: Some(error) });
        }
        if !lock.owner().change_mode(lock.membership().me(), Mode::Draining) {
            let why = "it was taken over: this process closed what proves its life";
            let error = lock.membership().error(ErrorKind::RoleLost, "upgrade", why.into());
            return Err(NotUpgraded { guard: self, error: Some(error) });
        }
        match lock.drain(Mode::Upgradable, until) {
            Ok(Some(_)) => {
                mem::forget(self);
                Ok(WriteGuard { lock })
            }
            answer => Err(NotUpgraded { guard: self, error: answer.err() }),
        }
    }
}

impl<'a, T: Shareable> WriteGuard<'a, T> {
    /// Says that what a dead process may have left half-changed is mended.
    pub fn mark_consistent(&mut self) {
        self.lock.owner().unmark(self.lock.membership().me());
    }

    /// Whether no process died writing since somebody last said that all is mended.
    pub fn is_consistent(&self) -> bool {
        !self.lock.owner().look().is_inconsistent()
    }

    /// Turns it into one to read, with others. Nobody writes in between.
    pub fn downgrade(self) -> ReadGuard<'a, T> {
        let lock = self.lock;
        lock.shares().share_more(lock.membership().me());
        drop(self);
        ReadGuard { lock }
    }

    /// Turns it into an upgradable one: others may read. Nobody writes in between.
    pub fn downgrade_to_upgradable(self) -> UpgradableGuard<'a, T> {
        let lock = self.lock;
        lock.owner().change_mode(lock.membership().me(), Mode::Upgradable);
        mem::forget(self);
        UpgradableGuard { lock }
    }
}

impl<T: Shareable> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is had alone, what is there was found to be a value, and `self` is
        // borrowed alone.
        unsafe { self.lock.value.get_mut() }
    }
}

/// What the guards have in common: `$unlock` gives back what such a one has, `$lock` takes it.
macro_rules! guard {
    ($guard:ident, $unlock:ident, $lock:ident $arguments:tt) => {
        impl<T: Shareable> Drop for $guard<'_, T> {
            #[inline]
            fn drop(&mut self) {
                self.lock.$unlock();
            }
        }

        impl<T: Shareable> Deref for $guard<'_, T> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                // SAFETY: the lock is had, and what is there was found to be a value.
                unsafe { self.lock.value.get() }
            }
        }

        impl<T: Shareable + fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: Shareable> lock_error::sealed::Sealed for $guard<'_, T> {}

        #[allow(private_interfaces, reason = "nobody else makes guards")]
        impl<T: Shareable> Guard for $guard<'_, T> {
            fn membership(&self) -> &Membership {
                self.lock.membership()
            }

            fn holder_is_dead(&self) -> bool {
                self.lock.membership().holder_is_dead(self.lock.owner())
            }

            fn suspend(&mut self) {
                self.lock.$unlock();
            }

            fn resume(&mut self) -> Result<bool> {
                let taken = self.lock.$lock $arguments?;
                let marked = self.lock.certainly(taken)?;
                // SAFETY: the lock is held.
                if unsafe { self.lock.value.is_valid() } {
                    return Ok(marked);
                }
                self.suspend();
                Err(self.lock.membership().corrupt("lock", lock_error::NO_VALUE))
            }
        }
    };
}

guard!(ReadGuard, unshare, share_slowly(Until::Ever));
guard!(UpgradableGuard, unlock, acquire(Mode::Upgradable, Until::Ever));
guard!(WriteGuard, unlock, acquire(Mode::Draining, Until::Ever));
