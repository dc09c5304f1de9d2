//! The standard library's primitives, between threads of one process. They are statics.

use std::hint::black_box;
use std::sync;

use crate::harness::worker::Workload;
use crate::workloads::contention::{contend, contend_for_rw_lock, contend_for_turns};
use crate::workloads::locking::{add, add_long, read, read_mostly, write};
use crate::workloads::primitives::{self, Mutex as _, Turns};
use crate::workloads::turns::take_turns;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::thread("mutex/std", |it| add(it, Mutex::new())),
    Workload::thread("fair/parking_lot", |it| {
        contend(it, |_, section| {
            let _held = PARKING_LOT.0.lock();
            section();
        });
    }),
    Workload::thread("fair/std", |it| contend(it, |_, section| Mutex::new().add(section))),
    Workload::thread("fair-rwlock/std", |it| contend_for_rw_lock(it, RwLock::new())),
    Workload::thread("fair-condition/std", |it| contend_for_turns(it, Condvars)),
    Workload::thread("long-mutex/std", |it| add_long(it, Mutex::new())),
    Workload::thread("read/std", |it| read(it, RwLock::new())),
    Workload::thread("write/std", |it| write(it, RwLock::new())),
    Workload::thread("read-mostly/std", |it| read_mostly(it, RwLock::new())),
    Workload::thread("condition/std", |it| take_turns(it, Condvars)),
];

const UNPOISONED: &str = "no thread panics while it holds a lock";

/// Two cache lines of its own for a value.
#[repr(align(128))]
struct Lines<T>(T);

static MUTEX: Lines<sync::Mutex<u64>> = Lines(sync::Mutex::new(0));
static RW_LOCK: Lines<sync::RwLock<u64>> = Lines(sync::RwLock::new(0));
static FULL: Lines<sync::Mutex<[bool; 2]>> = Lines(sync::Mutex::new([false; 2]));
static FILLED: [Lines<sync::Condvar>; 2] = [const { Lines(sync::Condvar::new()) }; 2];

/// `std::sync::Mutex`, behind a pointer like the peers' mutexes.
struct Mutex(&'static sync::Mutex<u64>);

impl Mutex {
    fn new() -> Self {
        Self(black_box(&MUTEX.0))
    }
}

impl primitives::Mutex for Mutex {
    #[inline]
    fn add(&self, section: impl FnOnce()) {
        let mut total = self.0.lock().expect(UNPOISONED);
        *total += 1;
        section();
    }
}

static PARKING_LOT: Lines<parking_lot::Mutex<()>> = Lines(parking_lot::Mutex::new(()));

/// `std::sync::RwLock`, behind a pointer too.
struct RwLock(&'static sync::RwLock<u64>);

impl RwLock {
    fn new() -> Self {
        Self(black_box(&RW_LOCK.0))
    }
}

impl primitives::RwLock for RwLock {
    #[inline]
    fn read(&self, section: impl FnOnce()) -> u64 {
        let total = self.0.read().expect(UNPOISONED);
        section();
        *total
    }

    #[inline]
    fn write(&self, section: impl FnOnce()) {
        let mut total = self.0.write().expect(UNPOISONED);
        *total += 1;
        section();
    }
}

/// A `std::sync::Condvar` for each side.
struct Condvars;

impl Turns for Condvars {
    fn give(&self, to: usize) {
        FULL.0.lock().expect(UNPOISONED)[to] = true;
        FILLED[to].0.notify_one();
    }

    fn take(&self, own: usize) {
        let full = FULL.0.lock().expect(UNPOISONED);
        let mut full = FILLED[own].0.wait_while(full, |full| !full[own]).expect(UNPOISONED);
        full[own] = false;
    }
}
