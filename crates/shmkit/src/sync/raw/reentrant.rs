//! A reentrant mutex without a value.

use super::mutex::RawMutex;
use crate::error::{ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::object::Builder;
use crate::participant::owner::{AcquireError, Acquired, Mode};
use crate::sys::fork;
use crate::wait::Until;

/// A handle to a mutex that its holding thread can lock again.
#[derive(Debug)]
pub(crate) struct RawReentrantMutex {
    pub(crate) mutex: RawMutex,
    /// The number of the thread that holds it through this handle. 0: no thread.
    thread: AtomicU64,
    /// How many times that thread has locked it.
    depth: AtomicU64,
}

impl RawReentrantMutex {
    pub(crate) fn build(builder: &mut Builder) -> Result<Self> {
        let (thread, depth) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self { mutex: RawMutex::build(builder)?, thread, depth })
    }

    /// Acquires the lock, or acquires it again: then it is clean, since the thread knows its state.
    pub(crate) fn acquire(&self, until: Until) -> Result<Acquired, AcquireError> {
        if self.is_held_by_this_thread() {
            self.set_depth(self.depth() + 1);
            return Ok(Acquired::Clean);
        }
        let acquired = self.mutex.acquire(Mode::Exclusive, || until)?;
        // ORDERING: Relaxed; other threads only need to see that it is not their own number.
        self.thread.store(this_thread(), Ordering::Relaxed);
        self.set_depth(1);
        Ok(acquired)
    }

    /// Releases the lock once.
    pub(crate) fn release(&self) {
        if !self.is_held_by_this_thread() {
            // A condition wait with another guard did not reacquire the lock, or the process lost
            // it.
            return;
        }
        // The depth can be 0 only if a process wrote garbage into the lock, so that two threads
        // hold it.
        let depth = self.depth().saturating_sub(1);
        self.set_depth(depth);
        if depth == 0 {
            self.release_wholly();
        }
    }

    /// Releases the lock, which this thread holds once.
    pub(crate) fn release_wholly(&self) {
        // ORDERING: Relaxed; the lock orders it.
        self.thread.store(0, Ordering::Relaxed);
        self.mutex.release();
    }

    /// Returns an error if a condition wait would not release the lock completely.
    pub(crate) fn check_wait(&self) -> Result<()> {
        let depth = self.depth();
        if depth == 1 {
            return Ok(());
        }
        let why = format!("this thread has locked it {depth} times: release all but one");
        Err(self.mutex.membership().error(ErrorKind::InvalidArgument, "wait with", why))
    }

    /// How many times this thread has locked it.
    pub(crate) fn depth(&self) -> u64 {
        // ORDERING: Relaxed; only this thread accesses it, while it holds the lock.
        self.depth.load(Ordering::Relaxed)
    }

    fn set_depth(&self, depth: u64) {
        // ORDERING: Relaxed; as above.
        self.depth.store(depth, Ordering::Relaxed);
    }

    fn is_held_by_this_thread(&self) -> bool {
        // ORDERING: Relaxed; only this thread stores its own number, and clears it.
        self.thread.load(Ordering::Relaxed) == this_thread() && self.mutex.membership().is_live()
    }
}

/// Returns a number that no other thread of the process has: not 0.
fn this_thread() -> u64 {
    // Created at first use, since loom cannot create atomics in constants.
    static NEXT: fork::Once<AtomicU64> = fork::Once::new();
    thread_local! {
        // ORDERING: Relaxed; a number that no other thread has.
        static NUMBER: u64 =
            NEXT.get_or_make(|| AtomicU64::new(1)).fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}
