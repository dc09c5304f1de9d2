//! Locks, conditions, semaphores, events and barriers that survive the death of their holders.
//!
//! [`named`] has them as objects of their own; an [`Object`](crate::Object) holds several, under a
//! name or in a region of memory. A [`FileLock`] is a lock on any file.
//!
//! # Waiting
//!
//! A wait ends by what it waits for, by its timeout, by a death that it reports, or by the removal
//! of the object. A [`CancelToken`](crate::CancelToken) lets another thread end it. A signal does
//! not end it: the handler runs, and the wait goes on, unless the program makes its waits
//! [`interruptible`](crate::interruptible). The kernel announces a death, usually within a
//! millisecond; where the system refuses notices, it is found within 50 ms. An attempt, such as
//! [`Mutex::try_lock`], asks whether the holder lives after such an announcement, and else at most
//! once in 25 ms: until then it reports a dead holder as a living one.
//!
//! # Guards that are not dropped
//!
//! What a thread holds belongs to its process. If the thread ends without dropping a guard
//! ([`mem::forget`](std::mem::forget), or `pthread_exit` in foreign code), the lock stays held
//! until the handle that acquired it is closed, or until the process ends. Then it counts as the
//! lock of a dead process.

mod any;
mod barrier;
mod bounded;
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
mod sources;
mod value;

pub use any::{AnyLock, AnyLockGuard};
pub use barrier::{Barrier, BarrierParty, BarrierWaitResult, Latch, LatchParty};
pub use bounded::{BoundedSemaphore, Permits};
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
