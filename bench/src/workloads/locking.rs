//! Locks that are acquired and released.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use super::primitives::{Mutex, RwLock};
use super::sections::run_long_section;
use crate::harness::worker::Worker;

/// How many operations of `read_mostly` there are for each one that writes.
pub(crate) const OPERATIONS_PER_WRITE: u64 = 1_000;

/// Acquires and releases a mutex.
pub(crate) fn add(worker: &Worker, mutex: impl Mutex) {
    worker.repeat(|| mutex.add(|| ()));
}

/// Acquires and releases a mutex, with a microsecond of work between.
pub(crate) fn add_long(worker: &Worker, mutex: impl Mutex) {
    worker.repeat(|| mutex.add(run_long_section));
}

/// Acquires and releases a lock for reading.
pub(crate) fn read(worker: &Worker, lock: impl RwLock) {
    worker.repeat(|| _ = black_box(lock.read(|| ())));
}

/// Acquires and releases a lock for writing.
pub(crate) fn write(worker: &Worker, lock: impl RwLock) {
    worker.repeat(|| lock.write(|| ()));
}

/// Reads, and seldom writes.
pub(crate) fn read_mostly(worker: &Worker, lock: impl RwLock) {
    let mut operations = 0;
    worker.repeat(|| {
        operations += 1;
        if operations % OPERATIONS_PER_WRITE == 0 {
            lock.write(|| ());
        } else {
            black_box(lock.read(|| ()));
        }
    });
}

/// Adds one to a counter that only the holder of a lock changes.
pub(crate) fn add_one(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}
