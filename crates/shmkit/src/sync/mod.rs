//! Who may act, and how to wait for others: locks, conditions, semaphores, events and barriers that
//! survive their holders.
//!
//! [`named`] has them as objects of their own. A [`FileLock`] is a lock over any file.

mod any;
mod barrier;
mod condvar;
mod event;
mod file_lock;
mod group;
#[cfg(all(test, loom))]
mod liveness;
mod lock_error;
mod membership;
mod mutex;
pub mod named;
mod observed;
mod once;
pub(crate) mod owner;
mod parts;
mod reentrant;
mod rwlock;
mod semaphore;
pub(crate) mod sleepers;
pub(crate) mod spin;
pub(crate) mod until;
mod value;

pub use any::{AnyLock, AnyLockGuard};
pub use barrier::{Barrier, BarrierParty, BarrierWaitResult, Latch, LatchParty};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use event::{Event, Reset};
pub use file_lock::{FileLock, FileLockGuard};
pub use lock_error::{Guard, LockError, LockResult};
pub use mutex::{Mutex, MutexGuard};
pub(crate) use observed::observe as observe_primitives;
pub use observed::{Holder, Holding, PrimitiveContent, PrimitiveState};
pub use once::Once;
pub use parts::Primitive;
pub use reentrant::{ReentrantGuard, ReentrantMutex};
pub use rwlock::{NotUpgraded, ReadGuard, RwLock, UpgradableGuard, WriteGuard};
pub use semaphore::{Permit, Semaphore};
pub use value::NoData;
