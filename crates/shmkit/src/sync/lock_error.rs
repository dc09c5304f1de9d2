//! Why a lock was not acquired, or is inconsistent; and what guards have in common.

use std::fmt;
use std::mem;

use super::raw::mutex::RawMutex;
use crate::error::{Error, ErrorKind, Result};
use crate::object::Membership;
use crate::participant::owner::{AcquireError, Acquired};

/// The result of acquiring a lock.
pub type LockResult<G> = std::result::Result<G, LockError<G>>;

/// Why a lock was not acquired, or was acquired after the death of a holder.
///
/// Converting it into an [`Error`], as `?` does, releases the lock: it stays inconsistent, and the
/// next locker gets the same. In a function that returns another error, as `Box<dyn Error>`,
/// convert it first, since an error that carries a guard cannot be returned:
/// `lock.lock().map_err(Error::from)?`.
#[non_exhaustive]
pub enum LockError<G> {
    /// The lock is acquired: here is the guard. A process died while it held the lock, and may have
    /// left the value half-changed. Each locker gets this until one marks the lock consistent.
    OwnerDied(G),
    /// The lock is not acquired.
    Failed(Error),
}

impl<G> LockError<G> {
    /// Returns the guard, though a dead process may have left the value half-changed.
    ///
    /// # Errors
    ///
    /// The error of a lock that was not acquired.
    pub fn into_guard(self) -> Result<G> {
        match self {
            Self::OwnerDied(guard) => Ok(guard),
            Self::Failed(error) => Err(error),
        }
    }

    pub(crate) fn map<H>(self, change: impl FnOnce(G) -> H) -> LockError<H> {
        match self {
            Self::OwnerDied(guard) => LockError::OwnerDied(change(guard)),
            Self::Failed(error) => LockError::Failed(error),
        }
    }
}

/// The error for bytes that are not a valid value of the type that a lock guards.
#[cold]
fn no_value(membership: &Membership) -> Error {
    let why = "its bytes are not a valid value of its type: overwrite them with lock_replacing or \
               write_replacing";
    membership.error(ErrorKind::Corrupt, "lock", why)
}

/// The result for a lock that was just acquired. If its bytes are not a value, it is released.
#[inline(always)]
pub(crate) fn locked<G: Guard>(guard: G, acquired: Acquired, is_valid: bool) -> LockResult<G> {
    match acquired {
        _ if !is_valid => Err(no_value(guard.membership()).into()),
        Acquired::Clean => Ok(guard),
        Acquired::Inconsistent => Err(LockError::OwnerDied(guard)),
    }
}

/// The result of an attempt: `None` if the lock is held.
#[inline(always)]
pub(crate) fn attempted<G>(
    acquired: Result<Acquired, AcquireError>,
    lock: &RawMutex,
    locked: impl FnOnce(Acquired) -> LockResult<G>,
) -> LockResult<Option<G>> {
    match acquired {
        Ok(acquired) => locked(acquired).map(Some).map_err(|error| error.map(Some)),
        Err(AcquireError::Held(_) | AcquireError::Contended) => Ok(None),
        Err(error) => Err(lock.refused(error).into()),
    }
}

/// The result of acquiring the lock again for a guard that still exists.
pub(crate) fn resumed<G>(locked: LockResult<G>) -> Result<Acquired> {
    let (guard, acquired) = match locked {
        Ok(guard) => (guard, Acquired::Clean),
        Err(LockError::OwnerDied(guard)) => (guard, Acquired::Inconsistent),
        Err(LockError::Failed(error)) => return Err(error),
    };
    mem::forget(guard);
    Ok(acquired)
}

impl<G: Guard> From<LockError<G>> for Error {
    fn from(error: LockError<G>) -> Self {
        match error {
            LockError::OwnerDied(guard) => {
                let why = "a process died while it held the lock, and the value may be \
                           half-changed: repair it and call mark_consistent";
                guard.membership().error(ErrorKind::OwnerDied, "lock", why)
            }
            LockError::Failed(error) => error,
        }
    }
}

impl<G: Guard> From<LockError<Option<G>>> for Error {
    fn from(error: LockError<Option<G>>) -> Self {
        match error {
            LockError::OwnerDied(Some(guard)) => LockError::OwnerDied(guard).into(),
            LockError::OwnerDied(None) => {
                Error::new(ErrorKind::OwnerDied, "a process died while it held the lock")
            }
            LockError::Failed(error) => error,
        }
    }
}

impl<G: Guard, R> From<LockError<(G, R)>> for Error {
    fn from(error: LockError<(G, R)>) -> Self {
        error.map(|(guard, _)| guard).into()
    }
}

impl<G> From<Error> for LockError<G> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<G> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(_) => f.write_str("OwnerDied(..)"),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

impl<G> fmt::Display for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(_) => f.write_str("a process died while it held the lock"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<G> std::error::Error for LockError<G> {}

/// A guard of a [`Mutex`](super::Mutex), a [`ReentrantMutex`](super::ReentrantMutex) or an
/// [`RwLock`](super::RwLock): a [`Condvar`](super::Condvar) waits with any of them.
#[allow(private_interfaces, private_bounds, reason = "guards are made by this library only")]
pub trait Guard: sealed::Sealed {
    /// What a condition of [`Condvar::wait_while`](super::Condvar::wait_while) gets: `&mut T` from
    /// an exclusive guard, `&T` from a shared one, a copy of the value from a guard that gives no
    /// references, and `()` from one that has no value.
    type Value<'v>;

    /// Whether the condition is true.
    #[doc(hidden)]
    fn check(&mut self, condition: impl FnOnce(Self::Value<'_>) -> bool) -> bool;

    #[doc(hidden)]
    fn membership(&self) -> &Membership;

    /// Whether the participant that holds the lock is dead, while this guard is suspended.
    #[doc(hidden)]
    fn holder_is_dead(&self) -> bool;

    /// Refuses to wait with a lock that this thread would go on holding.
    #[doc(hidden)]
    fn check_wait(&self) -> Result<()> {
        Ok(())
    }

    /// Releases the lock for the time of a wait.
    #[doc(hidden)]
    fn suspend(&mut self);

    /// Acquires the lock again, as it was.
    #[doc(hidden)]
    fn resume(&mut self) -> Result<Acquired>;
}

pub(crate) mod sealed {
    /// It is implemented by this library only.
    pub trait Sealed {}
}
