//! What a killed holder held, and what those get that wait for it.

use shmkit::sync;
use shmkit::{ErrorKind, Object, Result};

use super::primitives::{Mutex, RwLock, Semaphores, open};
use crate::harness::worker::{Worker, Workload};
use crate::workloads::takeover::hold_or_wait;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("takeover/shmkit", take_over_mutex),
    Workload::process("takeover-write/shmkit", take_over_rw_lock),
    Workload::process("takeover-permit/shmkit", take_over_permit),
    Workload::process("takeover-party/shmkit", take_over_party),
];

fn take_over_mutex(worker: &Worker) {
    let mutex = Mutex::open(worker);
    hold_or_wait(worker, || mutex.take_over(), || drop(mutex.take_over()));
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
