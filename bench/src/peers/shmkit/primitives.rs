//! The primitives, opened by a worker.

use shmkit::sync::{self, LockError, LockResult, MutexGuard, Permit, Reset, WriteGuard};
use shmkit::{Object, Primitive};

use crate::harness::worker::Worker;
use crate::objects;
use crate::workloads::primitives::{self, Turns};

pub(super) const NO_DEATH: &str = "this workload kills no worker";

pub(super) fn open<P: Primitive>(worker: &Worker, initial: P::Initial) -> Object<P> {
    objects::primitive(worker.arena().directory(), &worker.object_name(), initial)
}

/// Returns the guard, also that of a dead holder, whose data is not in need of repair.
pub(super) fn taken_over<G>(result: LockResult<G>, mark_consistent: impl Fn(&mut G)) -> G {
    result.unwrap_or_else(|error| match error {
        LockError::OwnerDied(mut guard) => {
            mark_consistent(&mut guard);
            guard
        }
        error => panic!("{error}"),
    })
}

pub(super) struct Mutex(pub(super) Object<sync::Mutex<u64>>);

impl Mutex {
    pub(super) fn open(worker: &Worker) -> Self {
        Self(open(worker, 0))
    }

    /// Acquires, also after the holder's death.
    pub(super) fn take_over(&self) -> MutexGuard<'_, u64> {
        taken_over(self.0.lock(), MutexGuard::mark_consistent)
    }
}

impl primitives::Mutex for Mutex {
    #[inline]
    fn add(&self, section: impl FnOnce()) {
        let mut total = self.0.lock().expect(NO_DEATH);
        *total += 1;
        section();
    }
}

pub(super) struct RwLock(pub(super) Object<sync::RwLock<u64>>);

impl RwLock {
    pub(super) fn open(worker: &Worker) -> Self {
        Self(open(worker, 0))
    }

    /// Acquires for writing, also after the holder's death.
    pub(super) fn take_over(&self) -> WriteGuard<'_, u64> {
        taken_over(self.0.write(), WriteGuard::mark_consistent)
    }
}

impl primitives::RwLock for RwLock {
    #[inline]
    fn read(&self, section: impl FnOnce()) -> u64 {
        let total = self.0.read().expect(NO_DEATH);
        section();
        *total
    }

    #[inline]
    fn write(&self, section: impl FnOnce()) {
        let mut total = self.0.write().expect(NO_DEATH);
        *total += 1;
        section();
    }
}

/// A flag and a condition for each side, under one mutex.
pub(super) struct Condvars(Object<(sync::Mutex<[u64; 2]>, [sync::Condvar; 2])>);

impl Condvars {
    pub(super) fn open(worker: &Worker) -> Self {
        Self(open(worker, ([0; 2], [(); 2])))
    }
}

impl Turns for Condvars {
    fn give(&self, to: usize) {
        let (full, filled) = &*self.0;
        full.lock().expect(NO_DEATH)[to] = 1;
        filled[to].notify_one().expect(NO_DEATH);
    }

    fn take(&self, own: usize) {
        let (full, filled) = &*self.0;
        let mut full = full.lock().expect(NO_DEATH);
        while full[own] == 0 {
            full = filled[own].wait(full).expect(NO_DEATH);
        }
        full[own] = 0;
    }
}

/// A semaphore for each side.
pub(super) struct Semaphores(pub(super) Object<[sync::Semaphore; 2]>);

impl Semaphores {
    pub(super) fn open(worker: &Worker, permits: u32) -> Self {
        Self(open(worker, [permits; 2]))
    }

    /// Acquires a permit that the guard releases, or the holder's death.
    #[inline]
    pub(super) fn acquire(&self) -> Permit<'_> {
        self.0[0].acquire().expect("a permit comes back")
    }
}

impl Turns for Semaphores {
    #[inline]
    fn give(&self, to: usize) {
        self.0[to].post(1).expect(NO_DEATH);
    }

    #[inline]
    fn take(&self, own: usize) {
        self.0[own].consume().expect(NO_DEATH);
    }
}

/// An event for each side, reset when its waiter continues.
pub(super) struct Events(Object<[sync::Event; 2]>);

impl Events {
    pub(super) fn open(worker: &Worker) -> Self {
        Self(open(worker, [Reset::Automatic; 2]))
    }
}

impl Turns for Events {
    fn give(&self, to: usize) {
        self.0[to].set().expect(NO_DEATH);
    }

    fn take(&self, own: usize) {
        self.0[own].wait().expect(NO_DEATH);
    }
}
