//! shmkit's primitives: objects in the arena's directory. The worker that opens one first creates
//! it.

use shmkit::sync::{self, LockError, LockResult, MutexGuard, Permit, Reset, WriteGuard};
use shmkit::{ErrorKind, Object, Primitive, Result};

use crate::harness::worker::{Worker, Workload};
use crate::objects;
use crate::workloads::{
    self, Turns, add, add_fairly, add_long, hold_or_wait, read, read_mostly, take_turns,
    wait_in_crowd, write,
};

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("mutex/shmkit", |it| add(it, Mutex::open(it))),
    Workload::process("fair/shmkit", |it| add_fairly(it, Mutex::open(it))),
    Workload::process("long-mutex/shmkit", |it| add_long(it, Mutex::open(it))),
    Workload::process("read/shmkit", |it| read(it, RwLock::open(it))),
    Workload::process("write/shmkit", |it| write(it, RwLock::open(it))),
    Workload::process("read-mostly/shmkit", |it| read_mostly(it, RwLock::open(it))),
    Workload::process("permit/shmkit", acquire_permits),
    Workload::process("condition/shmkit", |it| take_turns(it, Condvars::open(it))),
    Workload::process("semaphore/shmkit", |it| take_turns(it, Semaphores::open(it, 0))),
    Workload::process("event/shmkit", |it| take_turns(it, Events::open(it))),
    Workload::process("takeover/shmkit", take_over_mutex),
    Workload::process("takeover-write/shmkit", take_over_rw_lock),
    Workload::process("takeover-permit/shmkit", take_over_permit),
    Workload::process("takeover-party/shmkit", take_over_party),
    Workload::process("crowd/shmkit", stand_in_crowd),
];

const NO_DEATH: &str = "this workload kills no worker";

/// Acquires the only permit of a semaphore and releases it.
fn acquire_permits(worker: &Worker) {
    let permits = Semaphores::open(worker, 1);
    worker.repeat(|| drop(permits.acquire()));
}

fn take_over_mutex(worker: &Worker) {
    let mutex = Mutex::open(worker);
    hold_or_wait(worker, || mutex.take_over(), || drop(mutex.take_over()));
}

fn stand_in_crowd(worker: &Worker) {
    let mutex = Mutex::open(worker);
    wait_in_crowd(worker, || mutex.take_over());
}

fn take_over_rw_lock(worker: &Worker) {
    let lock = RwLock::open(worker);
    hold_or_wait(worker, || lock.take_over(), || drop(lock.take_over()));
}

fn take_over_permit(worker: &Worker) {
    let permits = Semaphores::open(worker, 1);
    hold_or_wait(worker, || permits.acquire(), || drop(permits.acquire()));
}

/// The holder is a party of a barrier, and the waiter waits for it there.
fn take_over_party(worker: &Worker) {
    let barrier: Object<sync::Barrier> = open(worker, 2);
    let join = || barrier.join().expect("a dead party has left its place");
    let wait = || {
        let met: Result<_> = join().wait();
        assert_eq!(met.map_err(|error| error.kind()), Err(ErrorKind::PeerDied));
    };
    hold_or_wait(worker, join, wait);
}

fn open<P: Primitive>(worker: &Worker, initial: P::Initial) -> Object<P> {
    objects::primitive(worker.arena().directory(), &worker.object_name(), initial)
}

/// Returns the guard, also that of a dead holder, whose data is not in need of repair.
fn taken_over<G>(result: LockResult<G>, mark_consistent: impl Fn(&mut G)) -> G {
    result.unwrap_or_else(|error| match error {
        LockError::OwnerDied(mut guard) => {
            mark_consistent(&mut guard);
            guard
        }
        error => panic!("{error}"),
    })
}

struct Mutex(Object<sync::Mutex<u64>>);

impl Mutex {
    fn open(worker: &Worker) -> Self {
        Self(open(worker, 0))
    }

    /// Acquires, also after the holder's death.
    fn take_over(&self) -> MutexGuard<'_, u64> {
        taken_over(self.0.lock(), MutexGuard::mark_consistent)
    }
}

impl workloads::Mutex for Mutex {
    #[inline]
    fn add(&self, section: impl FnOnce()) {
        let mut total = self.0.lock().expect(NO_DEATH);
        *total += 1;
        section();
    }
}

struct RwLock(Object<sync::RwLock<u64>>);

impl RwLock {
    fn open(worker: &Worker) -> Self {
        Self(open(worker, 0))
    }

    /// Acquires for writing, also after the holder's death.
    fn take_over(&self) -> WriteGuard<'_, u64> {
        taken_over(self.0.write(), WriteGuard::mark_consistent)
    }
}

impl workloads::RwLock for RwLock {
    #[inline]
    fn read(&self) -> u64 {
        *self.0.read().expect(NO_DEATH)
    }

    #[inline]
    fn write(&self) {
        *self.0.write().expect(NO_DEATH) += 1;
    }
}

/// A flag and a condition for each side, under one mutex.
struct Condvars(Object<(sync::Mutex<[u64; 2]>, [sync::Condvar; 2])>);

impl Condvars {
    fn open(worker: &Worker) -> Self {
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
struct Semaphores(Object<[sync::Semaphore; 2]>);

impl Semaphores {
    fn open(worker: &Worker, permits: u32) -> Self {
        Self(open(worker, [permits; 2]))
    }

    /// Acquires a permit that the guard releases, or the holder's death.
    #[inline]
    fn acquire(&self) -> Permit<'_> {
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
struct Events(Object<[sync::Event; 2]>);

impl Events {
    fn open(worker: &Worker) -> Self {
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
