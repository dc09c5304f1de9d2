//! Locking, and taking turns.

use super::primitives::{Condvars, Events, Mutex, NO_DEATH, RwLock, Semaphores};
use crate::harness::worker::{Worker, Workload};
use crate::workloads::contention::{ATTEMPT, contend, contend_for_rw_lock, contend_for_turns};
use crate::workloads::locking::{add, add_long, read, read_mostly, write};
use crate::workloads::turns::take_turns;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("mutex/shmkit", |it| add(it, Mutex::open(it))),
    Workload::process("long-mutex/shmkit", |it| add_long(it, Mutex::open(it))),
    Workload::process("read/shmkit", |it| read(it, RwLock::open(it))),
    Workload::process("write/shmkit", |it| write(it, RwLock::open(it))),
    Workload::process("read-mostly/shmkit", |it| read_mostly(it, RwLock::open(it))),
    Workload::process("permit/shmkit", acquire_permits),
    Workload::process("condition/shmkit", |it| take_turns(it, Condvars::open(it))),
    Workload::process("semaphore/shmkit", |it| take_turns(it, Semaphores::open(it, 0))),
    Workload::process("event/shmkit", |it| take_turns(it, Events::open(it))),
    Workload::process("fair/shmkit", contend_for_mutex),
    Workload::process("fair-rwlock/shmkit", |it| contend_for_rw_lock(it, RwLock::open(it))),
    Workload::process("fair-permit/shmkit", |it| contend_for_permits(it, 1)),
    Workload::process("fair-permits/shmkit", |it| contend_for_permits(it, 2)),
    Workload::process("fair-condition/shmkit", |it| contend_for_turns(it, Condvars::open(it))),
];

/// Acquires the only permit of a semaphore and releases it.
fn acquire_permits(worker: &Worker) {
    let permits = Semaphores::open(worker, 1);
    worker.repeat(|| drop(permits.acquire()));
}

fn contend_for_mutex(worker: &Worker) {
    let mutex = Mutex::open(worker).0;
    contend(worker, |what, section| {
        let guard = match what {
            ATTEMPT => mutex.try_lock().expect(NO_DEATH),
            _ => Some(mutex.lock().expect(NO_DEATH)),
        };
        if let Some(mut total) = guard {
            *total += 1;
            section();
        }
    });
}

fn contend_for_permits(worker: &Worker, permits: u32) {
    let permits = Semaphores::open(worker, permits);
    contend(worker, |_, section| {
        let _permit = permits.acquire();
        section();
    });
}
