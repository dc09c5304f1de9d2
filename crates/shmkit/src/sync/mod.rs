//! Locks, conditions, semaphores, events and barriers that survive the death of their holders.
//!
//! [`named`] has them as objects of their own; an [`Object`](crate::Object) holds several, under a
//! name or in a region of memory. A [`FileLock`] is a lock on any file.

mod any;
mod barrier;
mod condvar;
#[cfg(any(test, feature = "counter-kind"))]
mod counter;
mod event;
mod file_lock;
mod group;
mod lock_error;
mod mutex;
pub mod named;
mod once;
mod raw;
mod reentrant;
mod rwlock;
mod semaphore;
mod value;

pub use any::{AnyLock, AnyLockGuard};
pub use barrier::{Barrier, BarrierParty, BarrierWaitResult, Latch, LatchParty};
pub use condvar::{Condvar, WaitTimeoutResult};
#[cfg(any(test, feature = "counter-kind"))]
#[doc(hidden)]
pub use counter::Counter;
pub use event::{Event, Reset};
pub use file_lock::{FileLock, FileLockGuard};
pub use lock_error::{Guard, LockError, LockResult};
pub use mutex::{Mutex, MutexGuard};
pub use once::Once;
pub use reentrant::{ReentrantGuard, ReentrantMutex};
pub use rwlock::{NotUpgraded, ReadGuard, RwLock, UpgradableGuard, WriteGuard};
pub use semaphore::{Permit, Semaphore};
pub use value::NoData;
