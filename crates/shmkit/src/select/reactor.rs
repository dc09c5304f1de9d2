//! The thread of this process that watches sources for others: for futures, and for the handles
//! that event loops poll.
//!
//! It waits for all sources of its clients, as a thread that waits for a set does. When a source is
//! ready, its client is told once, and is a client no more. So a client that finds nothing to take
//! comes again.
//!
//! The thread starts with the first client, and ends some time after the last one. A forked child
//! does not have it, and starts one of its own.

#![allow(unsafe_code, reason = "a value that each process makes once")]

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::memory::atomic::{AtomicPtr, Ordering};
use crate::sys::fork::ProcessStamp;
use crate::sys::thread::{STACK_BYTES, start};
use crate::wait::{Group, Source, Until};

/// How long the thread stays without clients.
const STAYS_FOR: Duration = Duration::from_secs(2);

/// What is told that one of its sources is ready: from the thread, or if the sources change.
pub(super) trait Client: Send + Sync {
    /// Something may be ready.
    fn ready(&self);
}

/// The clients of this process.
struct Reactor {
    stamp: ProcessStamp,
    group: Group,
    clients: Mutex<Clients>,
}

#[derive(Default)]
struct Clients {
    list: Vec<Entry>,
    next: u64,
    is_running: bool,
}

struct Entry {
    number: u64,
    sources: Range<u64>,
    client: Arc<dyn Client>,
}

/// A client whose sources are watched, until this is dropped or the client was told.
pub(super) struct Registration {
    reactor: &'static Reactor,
    number: u64,
}

impl Registration {
    /// Has sources watched for a client.
    pub(super) fn new(sources: Vec<Arc<dyn Source>>, client: Arc<dyn Client>) -> Result<Self> {
        let reactor = Reactor::of_this_process()?;
        let mut clients = reactor.lock();
        if !clients.is_running {
            start("shmkit-async", STACK_BYTES, || reactor.run()).map_err(Error::from_os)?;
            clients.is_running = true;
        }
        let number = clients.next;
        clients.next += 1;
        let count = sources.len() as u64;
        // The thread that finds one of them ready waits for the lock.
        let first = reactor.group.add(sources);
        clients.list.push(Entry { number, sources: first..first + count, client });
        Ok(Self { reactor, number })
    }

    /// Whether it was made by this process. A forked child does not have the thread.
    pub(super) fn is_mine(&self) -> bool {
        self.reactor.stamp.is_mine()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if self.is_mine() {
            let removed = self.reactor.remove(|entry| entry.number == self.number);
            // Outside of the lock: it drops what the client holds.
            drop(removed);
        }
    }
}

impl Reactor {
    /// Returns the reactor of this process. A child leaves that of its parent alone: a thread that
    /// the child does not have may have locked it.
    fn of_this_process() -> Result<&'static Self> {
        static CURRENT: AtomicPtr<Reactor> = AtomicPtr::new(ptr::null_mut());
        let stamp = ProcessStamp::of_this_process()?;
        loop {
            // ORDERING: Acquire; pairs with the Release below.
            let found = CURRENT.load(Ordering::Acquire);
            if let Some(reactor) = NonNull::new(found) {
                // SAFETY: no reactor is ever freed.
                let reactor = unsafe { reactor.as_ref() };
                if reactor.stamp.is_mine() {
                    return Ok(reactor);
                }
            }
            let made = Self { stamp, group: Group::new(), clients: Mutex::default() };
            let made = Box::into_raw(Box::new(made));
            // ORDERING: Release; pairs with the Acquire above.
            let order = Ordering::AcqRel;
            if CURRENT.compare_exchange(found, made, order, Ordering::Relaxed).is_err() {
                // SAFETY: no other thread has seen it.
                drop(unsafe { Box::from_raw(made) });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the clients for which this is true, and their sources.
    fn remove(&self, is_meant: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let mut clients = self.lock();
        let (removed, kept) = clients.list.drain(..).partition(|entry| is_meant(entry));
        clients.list = kept;
        let removed: Vec<Entry> = removed;
        let is_removed = |id| removed.iter().any(|entry: &Entry| entry.sources.contains(&id));
        if !removed.is_empty() {
            self.group.remove(is_removed);
        }
        removed
    }

    /// The life of the thread.
    fn run(&self) {
        let mut ready = Vec::new();
        loop {
            ready.clear();
            if self.group.wait(Until::after(STAYS_FOR), &mut ready).is_err() {
                let mut clients = self.lock();
                if clients.list.is_empty() {
                    clients.is_running = false;
                    return;
                }
                continue;
            }
            let has_ready = |entry: &Entry| ready.iter().any(|id| entry.sources.contains(id));
            for entry in self.remove(has_ready) {
                // A waker is the program's own code. If it panics, the others are still told.
                let _ = catch_unwind(AssertUnwindSafe(|| entry.client.ready()));
            }
        }
    }
}
