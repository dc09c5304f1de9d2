//! A worker that holds, and others that wait for it.

use std::mem;
use std::thread;
use std::time::Duration;

use crate::harness::mailbox::RUN;
use crate::harness::worker::Worker;
use crate::harness::workers::Workers;

/// The worker that holds, and is killed.
pub(crate) const HOLDER: usize = 0;
/// The first worker that waits. All further ones wait, too.
pub(crate) const WAITER: usize = 1;

/// How often the holder of a set of workers can be killed, at most.
pub(crate) const MAX_KILLS: usize = 32;

/// The holder acquires without releasing. A waiter acquires and releases, or gives up.
pub(crate) fn hold_or_wait<T>(worker: &Worker, hold: impl Fn() -> T, wait: impl Fn()) {
    worker.repeat(|| if worker.number() == HOLDER { mem::forget(hold()) } else { wait() });
}

/// The controller's side: lets the holder acquire.
pub(crate) fn hold(workers: &Workers<'_>) {
    workers.begin(HOLDER, RUN, 1);
    workers.wait(HOLDER);
}

/// Kills the holder after the waiters have waited for `delay`. Returns the milliseconds from then
/// until the first of them continued.
pub(crate) fn kill_holder(workers: &Workers<'_>, delay: Duration) -> f64 {
    hold(workers);
    let waiters = WAITER..workers.len();
    waiters.clone().for_each(|waiter| workers.begin(waiter, RUN, 1));
    thread::sleep(delay);
    let killed_ns = workers.kill(HOLDER);
    let acquired_ns = waiters.map(|waiter| workers.wait(waiter)).min();
    workers.replace(HOLDER);
    (acquired_ns.expect("there is a waiter") - killed_ns) as f64 / 1e6
}
