//! Waits that end by their time, while another process holds.

use std::time::Duration;

use shmkit::{Error, ErrorKind};

use super::primitives::{Mutex, RwLock, Semaphores};
use crate::harness::worker::{Worker, Workload};
use crate::workloads::takeover::hold_or_wait;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("timeouts/shmkit", time_out_at_mutex),
    Workload::process("timeouts-write/shmkit", time_out_at_rw_lock),
    Workload::process("timeouts-permit/shmkit", time_out_at_semaphore),
];

fn time_out_at_mutex(worker: &Worker) {
    let (mutex, timeout) = (Mutex::open(worker), timeout(worker));
    hold_or_wait(worker, || mutex.take_over(), || assert_timed_out(mutex.0.lock_timeout(timeout)));
}

fn time_out_at_rw_lock(worker: &Worker) {
    let (lock, timeout) = (RwLock::open(worker), timeout(worker));
    hold_or_wait(worker, || lock.take_over(), || assert_timed_out(lock.0.write_timeout(timeout)));
}

fn time_out_at_semaphore(worker: &Worker) {
    let (permits, timeout) = (Semaphores::open(worker, 1), timeout(worker));
    let wait = || assert_timed_out(permits.0[0].acquire_timeout(timeout));
    hold_or_wait(worker, || permits.acquire(), wait);
}

/// The argument is the timeout, in nanoseconds.
fn timeout(worker: &Worker) -> Duration {
    Duration::from_nanos(worker.argument() as u64)
}

fn assert_timed_out<G, E: Into<Error>>(result: Result<G, E>) {
    let kind = result.err().map(|error| error.into().kind());
    assert_eq!(kind, Some(ErrorKind::TimedOut), "the holder holds for as long as it lives");
}
