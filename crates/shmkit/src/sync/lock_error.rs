//! Why a lock was not taken, or with what news it was.

use std::fmt;

use super::membership::Membership;
use crate::error::{Error, ErrorKind, Result};

/// What is said of bytes that are no value.
pub(crate) const NO_VALUE: &str = "what it guards is no value of its type: put one in its place";

/// What taking a lock returns.
pub type LockResult<G> = std::result::Result<G, LockError<G>>;

/// Why a lock was not taken, or was taken with news.
///
/// Converting it into an [`Error`], as `?` does, gives the lock back: it stays marked, and whoever
/// takes it next is told the same. In a function that returns another error, as `Box<dyn Error>`,
/// convert it first, since what carries a guard cannot leave: `lock.lock().map_err(Error::from)?`.
#[non_exhaustive]
pub enum LockError<G> {
    /// Taken: here it is. A process died while it held the lock, and may have left what it guards
    /// half-changed. Each who takes it is told, until one says that it is mended.
    OwnerDied(G),
    /// Not taken.
    Failed(Error),
}

impl<G> LockError<G> {
    /// The lock, whatever a dead process may have left half-changed; or why there is none.
    ///
    /// # Errors
    ///
    /// That of a lock that was not taken.
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

/// What an attempt comes to that took the lock.
pub(crate) fn attempted<G>(taken: LockResult<G>) -> LockResult<Option<G>> {
    taken.map(Some).map_err(|error| error.map(Some))
}

impl<G: Guard> From<LockError<G>> for Error {
    fn from(error: LockError<G>) -> Self {
        match error {
            LockError::OwnerDied(guard) => {
                let why = "a process died while it held the lock: what it guards may be \
                           half-changed";
                guard.membership().error(ErrorKind::OwnerDied, "lock", why.into())
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

/// What holds a lock: the guards of [`Mutex`](super::Mutex), [`RwLock`](super::RwLock) and
/// [`ReentrantMutex`](super::ReentrantMutex). A [`Condvar`](super::Condvar) waits with any of them.
#[allow(private_interfaces, private_bounds, reason = "nobody else makes guards")]
pub trait Guard: sealed::Sealed {
    #[doc(hidden)]
    fn membership(&self) -> &Membership;

    /// Whether a dead one has the lock, for one who has given it up.
    #[doc(hidden)]
    fn holder_is_dead(&self) -> bool;

    /// Refuses to wait with a lock that would not be free by that.
    #[doc(hidden)]
    fn check_wait(&self) -> Result<()> {
        Ok(())
    }

    /// Gives the lock up, for as long as it waits.
    #[doc(hidden)]
    fn suspend(&mut self);

    /// Takes it again, as it was. True if it is marked by a death.
    #[doc(hidden)]
    fn resume(&mut self) -> Result<bool>;
}

pub(crate) mod sealed {
    /// Implemented here alone.
    pub trait Sealed {}
}
