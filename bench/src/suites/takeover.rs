//! From the kill of a process until the process that waits for it continues: with what the killed
//! process held, or with the error that it died.
//!
//! Boost's mutexes and plain POSIX mutexes are missing: their waiters wait forever.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use crate::harness::pair::Pair;
use crate::harness::report::Report;
use crate::harness::workers::{Harness, PINNED, cpus};
use crate::workloads::takeover::kill_holder;

/// How long the waiter waits at least, so that it sleeps when the holder dies.
const MIN_DELAY_MS: u64 = 5;
/// The range of further delays, longer than a slice without death notices (50 ms), and the step
/// within it. So deaths fall on all parts of such a slice.
const DELAY_RANGE_MS: u64 = 53;
const DELAY_STEP_MS: u64 = 17;

const FLOOR: &str = "takeover/robust";
/// Measured with one waiter only: more of them would keep the holder from its processor.
const SPINNING: &str = "spinning on the lock of a file";
/// What is waited for.
const SUBJECTS: [(&str, &str); 14] = [
    ("shmkit Mutex", "takeover/shmkit"),
    ("shmkit ReentrantMutex", "takeover-reentrant/shmkit"),
    ("shmkit RwLock, write", "takeover-write/shmkit"),
    ("shmkit RwLock, read", "takeover-read/shmkit"),
    ("shmkit RwLock, after a reader", "takeover-drained/shmkit"),
    ("shmkit RwLock, upgradable", "takeover-upgradable/shmkit"),
    ("shmkit Semaphore", "takeover-permit/shmkit"),
    ("shmkit Barrier", "takeover-party/shmkit"),
    ("shmkit Latch", "takeover-latch/shmkit"),
    ("shmkit Condvar", "takeover-condition/shmkit"),
    ("shmkit Once", "takeover-once/shmkit"),
    ("shmkit Latest", "takeover-writer/shmkit"),
    ("robust pthread", "takeover/robust"),
    (SPINNING, "takeover/file-lock"),
];
/// How many processes wait at a time.
const WAITERS: [usize; 3] = [1, 8, 64];

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (name, workload) in SUBJECTS {
        for waiters in WAITERS {
            let case = format!("{name}, {waiters} waiting / robust pthread");
            if !harness.wants(&case) || (name == SPINNING && waiters > 1) {
                continue;
            }
            // The first waiter is on the other processor than the holder.
            let cpus = cpus(PINNED, waiters + 1);
            let Some(pair) = Pair::start(harness, FLOOR, workload, cpus.len(), &cpus) else {
                continue;
            };
            let delay_ms = Cell::new(0);
            let samples = pair.sample(|workers| {
                delay_ms.set((delay_ms.get() + DELAY_STEP_MS) % DELAY_RANGE_MS);
                kill_holder(workers, Duration::from_millis(MIN_DELAY_MS + delay_ms.get()))
            });
            report.tell(&case, 0, "ms", &samples)?;
        }
    }
    Ok(())
}
