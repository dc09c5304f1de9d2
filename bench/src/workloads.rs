//! The workloads of locking and waiting: what a peer must offer, and what workers do with it.

use std::hint::black_box;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::harness::mailbox::RUN;
use crate::harness::waits;
use crate::harness::worker::{Worker, now_ns};
use crate::harness::workers::Workers;

/// How many operations of `read_mostly` there are for each one that writes.
pub(crate) const OPERATIONS_PER_WRITE: u64 = 1_000;
/// The length of the chain of instructions in a long section: about a microsecond.
pub(crate) const LONG_STEPS: u64 = 500;
/// How long that takes, in nanoseconds.
pub(crate) const LONG_NS: u64 = 700;
/// How many threads of each worker wait in a crowd, and how long for each sample.
pub(crate) const CROWD_THREADS: usize = 100;
const CROWD_WAIT: Duration = Duration::from_secs(2);
/// The worker that holds, and is killed.
const HOLDER: usize = 0;
/// The worker that waits: for the holder's death, or for the giver's turn.
pub(crate) const WAITER: usize = 1;
/// The worker that gives the first turn. The other one waits for it.
pub(crate) const GIVER: usize = 0;

/// A counter under a mutex.
pub(crate) trait Mutex {
    /// Acquires, adds one, runs `section`, releases.
    fn add(&self, section: impl FnOnce());
}

/// A counter under a lock for readers and writers.
pub(crate) trait RwLock {
    /// Acquires for reading, reads, releases.
    fn read(&self) -> u64;
    /// Acquires for writing, adds one, releases.
    fn write(&self);
}

/// Two sides, 0 and 1, that wait for each other.
pub(crate) trait Turns {
    /// Lets the side `to` continue.
    fn give(&self, to: usize);
    /// Waits until the side `own`, the caller's, may continue.
    fn take(&self, own: usize);
}

/// Acquires and releases a mutex.
pub(crate) fn add(worker: &Worker, mutex: impl Mutex) {
    worker.repeat(|| mutex.add(|| ()));
}

/// Acquires and releases a mutex, with a microsecond of work between.
pub(crate) fn add_long(worker: &Worker, mutex: impl Mutex) {
    worker.repeat(|| mutex.add(run_long_section));
}

/// Acquires and releases a mutex, with as many nanoseconds of work between as the size says, and
/// measures how long each acquisition takes.
pub(crate) fn add_fairly(worker: &Worker, mutex: impl Mutex) {
    let steps = worker.bytes() as u64 * LONG_STEPS / LONG_NS;
    worker.serve(|command| {
        let mut waits = waits::histogram();
        command.repeat(|| {
            let began_ns = now_ns();
            mutex.add(|| {
                waits::record(&mut waits, now_ns() - began_ns);
                run_section(steps);
            });
        });
        let written = waits::write(worker.arena().directory(), worker.mailbox(), &waits);
        written.expect("cannot write how long the acquisitions took");
    });
}

/// Acquires and releases a lock for reading.
pub(crate) fn read(worker: &Worker, lock: impl RwLock) {
    worker.repeat(|| _ = black_box(lock.read()));
}

/// Acquires and releases a lock for writing.
pub(crate) fn write(worker: &Worker, lock: impl RwLock) {
    worker.repeat(|| lock.write());
}

/// Reads, and seldom writes.
pub(crate) fn read_mostly(worker: &Worker, lock: impl RwLock) {
    let mut operations = 0;
    worker.repeat(|| {
        operations += 1;
        if operations % OPERATIONS_PER_WRITE == 0 {
            lock.write();
        } else {
            black_box(lock.read());
        }
    });
}

/// Gives a turn to the other worker and takes its own, or the reverse.
pub(crate) fn take_turns(worker: &Worker, turns: impl Turns) {
    let (own, other) = (worker.number(), 1 - worker.number());
    if own == GIVER {
        worker.repeat(|| {
            turns.give(other);
            turns.take(own);
        });
    } else {
        worker.repeat(|| {
            turns.take(own);
            turns.give(other);
        });
    }
}

/// The holder acquires without releasing. The waiter acquires and releases.
pub(crate) fn hold_or_wait<T>(worker: &Worker, hold: impl Fn() -> T, wait: impl Fn()) {
    worker.repeat(|| if worker.number() == HOLDER { mem::forget(hold()) } else { wait() });
}

/// The controller's side of `hold_or_wait`: kills the holder after the waiters, which are all other
/// workers, have waited for `delay`. Returns the milliseconds from then until the first of them
/// continued.
pub(crate) fn kill_holder(workers: &Workers<'_>, delay: Duration) -> f64 {
    workers.begin(HOLDER, RUN, 1);
    workers.wait(HOLDER);
    let waiters = WAITER..workers.len();
    waiters.clone().for_each(|waiter| workers.begin(waiter, RUN, 1));
    thread::sleep(delay);
    let killed_ns = workers.kill(HOLDER);
    let acquired_ns = waiters.map(|waiter| workers.wait(waiter)).min();
    workers.replace(HOLDER);
    (acquired_ns.expect("there is a waiter") - killed_ns) as f64 / 1e6
}

/// The holder holds the lock until it leaves. Meanwhile many threads of each other worker wait for
/// the lock. An operation is a pause.
pub(crate) fn wait_in_crowd<G>(worker: &Worker, acquire: impl Fn() -> G + Sync) {
    let sleep = || worker.repeat(|| thread::sleep(CROWD_WAIT));
    if worker.number() == HOLDER {
        let _held = acquire();
        return sleep();
    }
    thread::scope(|scope| {
        for _ in 0..CROWD_THREADS {
            scope.spawn(|| drop(acquire()));
        }
        sleep();
    });
}

/// Adds one to a counter that only the holder of a lock changes.
pub(crate) fn add_one(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// Runs the work of a long section, in which each step waits for the one before.
pub(crate) fn run_long_section() {
    run_section(LONG_STEPS);
}

fn run_section(steps: u64) {
    let mut number = black_box(1_u64);
    for _ in 0..steps {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
    }
    black_box(number);
}
