//! A value that one thread at a time may use, which may take it again.
#![allow(unsafe_code, reason = "copies of what a held lock guards")]

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use super::lock_error::{self, Guard, LockError, LockResult};
use super::membership::Membership;
use super::mutex::{Mutex, MutexGuard};
use super::parts::{Builder, Planner, sealed::Parts};
use super::value::NoData;
use crate::error::{ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::object::Kind;
use crate::shareable::Shareable;
use crate::sys::fork;

/// A [`Mutex`] which the thread that holds it may take again: it is free when all its guards are
/// dropped.
///
/// Since a thread can have several guards, they give no references to the value: it is copied out
/// and in as a whole. A thread takes the lock again through the handle through which it took it
/// first.
///
/// # If a process dies
///
/// As with [`Mutex`].
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
    mutex: Mutex<T>,
    /// The number of the thread that has it, in this process; 0: none through this handle.
    thread: AtomicU64,
    depth: AtomicU64,
}

impl<T: Shareable> ReentrantMutex<T> {
    /// Takes the lock, or takes it again, waiting for as long as others have it.
    ///
    /// # If a process dies
    ///
    /// As [`Mutex::lock`].
    ///
    /// # Errors
    ///
    /// As [`Mutex::lock`]. A guard got with a death's news is the only one of its thread.
    pub fn lock(&self) -> LockResult<ReentrantGuard<'_, T>> {
        if self.is_mine() {
            return Ok(self.once_more());
        }
        self.mutex.lock().map(|it| self.first(it)).map_err(|error| error.map(|it| self.first(it)))
    }

    /// Takes the lock, or takes it again, if nobody else has it, or a dead one.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    pub fn try_lock(&self) -> LockResult<Option<ReentrantGuard<'_, T>>> {
        if self.is_mine() {
            return Ok(Some(self.once_more()));
        }
        let first = |guard: Option<_>| guard.map(|it| self.first(it));
        self.mutex.try_lock().map(first).map_err(|error| error.map(first))
    }

    /// Takes the lock, or takes it again, waiting up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, naming who has it; and as [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> LockResult<ReentrantGuard<'_, T>> {
        if self.is_mine() {
            return Ok(self.once_more());
        }
        let first = |guard| self.first(guard);
        self.mutex.lock_timeout(timeout).map(first).map_err(|error| error.map(first))
    }

    /// Takes the lock, or takes it again, waiting until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`lock_timeout`](Self::lock_timeout).
    pub fn lock_until(&self, deadline: Instant) -> LockResult<ReentrantGuard<'_, T>> {
        if self.is_mine() {
            return Ok(self.once_more());
        }
        let first = |guard| self.first(guard);
        self.mutex.lock_until(deadline).map(first).map_err(|error| error.map(first))
    }

    /// Whether this thread has it, and can act.
    /// Takes the lock, and puts `value` in place of whatever bytes are there: also where a dead
    /// process left none that are a value. No mark of a death is left.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), but for what it says of the value.
    pub fn lock_replacing(&self, value: T) -> Result<ReentrantGuard<'_, T>> {
        if self.is_mine() {
            let mut guard = self.once_more();
            guard.set(value);
            guard.mark_consistent();
            return Ok(guard);
        }
        self.mutex.lock_replacing(value).map(|guard| self.first(guard))
    }

    fn is_mine(&self) -> bool {
        // ORDERING: Relaxed; only this thread writes its own number, and takes it away.
        self.thread.load(Ordering::Relaxed) == this_thread() && self.mutex.membership().is_well()
    }

    fn first(&self, guard: MutexGuard<'_, T>) -> ReentrantGuard<'_, T> {
        // Given back by the last guard.
        let _ = ManuallyDrop::new(guard);
        // ORDERING: Relaxed; others only need to see that it is not their number.
        self.thread.store(this_thread(), Ordering::Relaxed);
        self.depth.store(1, Ordering::Relaxed);
        ReentrantGuard { lock: self, stays: PhantomData }
    }

    fn once_more(&self) -> ReentrantGuard<'_, T> {
        // ORDERING: Relaxed; this thread's alone, while it has the lock.
        let depth = self.depth.load(Ordering::Relaxed);
        let depth = depth + 1;
        // ORDERING: Relaxed; as above.
        self.depth.store(depth, Ordering::Relaxed);
        ReentrantGuard { lock: self, stays: PhantomData }
    }

    /// Takes this thread's name off, before the lock is given back.
    fn clear(&self) {
        // ORDERING: Relaxed; the lock orders it.
        self.thread.store(0, Ordering::Relaxed);
    }
}

/// A number that no other thread of the process has: not 0.
fn this_thread() -> u64 {
    // Made when it is needed, since loom makes no atomics in constants.
    static NEXT: fork::Once<AtomicU64> = fork::Once::new();
    thread_local! {
        // ORDERING: Relaxed; a number that no other has.
        static NUMBER: u64 =
            NEXT.get_or_make(|| AtomicU64::new(1)).fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

#[allow(private_interfaces, reason = "nobody else makes primitives")]
impl<T: Shareable> Parts for ReentrantMutex<T> {
    type Initial = T;
    const KIND: Kind = Kind::ReentrantMutex;

    fn plan(planner: &mut Planner, initial: Option<&T>) {
        Mutex::plan_as("reentrant_mutex", planner, initial);
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        Ok(Self {
            mutex: Mutex::build(builder)?,
            thread: AtomicU64::new(0),
            depth: AtomicU64::new(0),
        })
    }
}

/// A [`ReentrantMutex`] that is locked by this thread, until all guards of it are dropped.
#[must_use = "the lock is given back when this is dropped"]
pub struct ReentrantGuard<'a, T: Shareable> {
    lock: &'a ReentrantMutex<T>,
    /// It belongs to its thread.
    stays: PhantomData<*mut ()>,
}

impl<T: Shareable> ReentrantGuard<'_, T> {
    /// A copy of the value.
    pub fn get(&self) -> T {
        // SAFETY: the lock is held, and what is there was found to be a value.
        unsafe { self.lock.mutex.value().copy() }
    }

    /// Puts another value in its place.
    pub fn set(&mut self, value: T) {
        // SAFETY: the lock is held, and no guard of it makes references.
        unsafe { self.lock.mutex.value().set(value) };
    }

    /// How many guards of it this thread has.
    pub fn depth(&self) -> u64 {
        // ORDERING: Relaxed; this thread's alone.
        self.lock.depth.load(Ordering::Relaxed)
    }

    /// Says that what a dead process may have left half-changed is mended.
    pub fn mark_consistent(&mut self) {
        self.lock.mutex.mark_consistent();
    }

    /// Whether no process died with the lock since somebody last said that all is mended.
    pub fn is_consistent(&self) -> bool {
        self.lock.mutex.is_consistent()
    }
}

impl<T: Shareable> Drop for ReentrantGuard<'_, T> {
    fn drop(&mut self) {
        if !self.lock.is_mine() {
            // A wait with another guard of it did not get it back, or its process lost it.
            return;
        }
        // Two have it at once only if somebody wrote garbage into the lock.
        let depth = self.depth().saturating_sub(1);
        // ORDERING: Relaxed; this thread's alone.
        self.lock.depth.store(depth, Ordering::Relaxed);
        if depth == 0 {
            self.lock.clear();
            self.lock.mutex.unlock();
        }
    }
}

impl<T: Shareable> lock_error::sealed::Sealed for ReentrantGuard<'_, T> {}

#[allow(private_interfaces, reason = "nobody else makes guards")]
impl<T: Shareable> Guard for ReentrantGuard<'_, T> {
    fn membership(&self) -> &Membership {
        self.lock.mutex.membership()
    }

    fn holder_is_dead(&self) -> bool {
        self.lock.mutex.holder_is_dead()
    }

    fn check_wait(&self) -> Result<()> {
        if self.depth() == 1 {
            return Ok(());
        }
        let why = format!("this thread has the lock {} times, and would keep it", self.depth());
        Err(self.membership().error(ErrorKind::InvalidArgument, "wait with", why))
    }

    fn suspend(&mut self) {
        self.lock.clear();
        self.lock.mutex.unlock();
    }

    fn resume(&mut self) -> Result<bool> {
        let (guard, marked) = match self.lock.mutex.lock() {
            Ok(guard) => (guard, false),
            Err(LockError::OwnerDied(guard)) => (guard, true),
            Err(LockError::Failed(error)) => return Err(error),
        };
        let _ = ManuallyDrop::new(self.lock.first(guard));
        Ok(marked)
    }
}
