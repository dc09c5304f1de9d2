//! The standard library's, between threads: statics, since these share everything.

use std::hint::black_box;
use std::sync;

use crate::sync::{Lock, ReadWrite, Turns};

const INTACT: &str = "nobody panicked";

/// What has two cache lines for itself.
#[repr(align(128))]
struct Lines<T>(T);

static MUTEX: Lines<sync::Mutex<u64>> = Lines(sync::Mutex::new(0));
static RW_LOCK: Lines<sync::RwLock<u64>> = Lines(sync::RwLock::new(0));
static FULL: Lines<sync::Mutex<[bool; 2]>> = Lines(sync::Mutex::new([false; 2]));
static FILLED: [Lines<sync::Condvar>; 2] = [const { Lines(sync::Condvar::new()) }; 2];

/// `std::sync::Mutex`, behind a pointer as the others.
pub(crate) struct Mutex(&'static sync::Mutex<u64>);

impl Mutex {
    pub(crate) fn new() -> Self {
        Self(black_box(&MUTEX.0))
    }
}

impl Lock for Mutex {
    #[inline]
    fn add(&self, section: impl FnOnce()) {
        let mut total = self.0.lock().expect(INTACT);
        *total += 1;
        section();
    }
}

/// `std::sync::RwLock`, likewise.
pub(crate) struct RwLock(&'static sync::RwLock<u64>);

impl RwLock {
    pub(crate) fn new() -> Self {
        Self(black_box(&RW_LOCK.0))
    }
}

impl ReadWrite for RwLock {
    #[inline]
    fn read(&self) -> u64 {
        *self.0.read().expect(INTACT)
    }

    #[inline]
    fn write(&self) {
        *self.0.write().expect(INTACT) += 1;
    }
}

/// `std::sync::Condvar`, one for each side.
pub(crate) struct Mailboxes;

impl Turns for Mailboxes {
    fn give(&self, to: usize) {
        FULL.0.lock().expect(INTACT)[to] = true;
        FILLED[to].0.notify_one();
    }

    fn take(&self, own: usize) {
        let full = FULL.0.lock().expect(INTACT);
        let mut full = FILLED[own].0.wait_while(full, |full| !full[own]).expect(INTACT);
        full[own] = false;
    }
}
