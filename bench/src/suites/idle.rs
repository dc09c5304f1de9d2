//! The cost of a long wait: how much of a processor a process uses in which a waiter sleeps, or in
//! which many do.

use std::io;
use std::thread;
use std::time::Duration;

use crate::harness::mailbox::RUN;
use crate::harness::report::Report;
use crate::harness::samples::Samples;
use crate::harness::workers::{Harness, Workers};
use crate::workloads::{CROWD_THREADS, GIVER, WAITER, kill_holder};

/// How long each wait lasts, and how many are sampled.
const WAIT: Duration = Duration::from_secs(2);
const SAMPLES: usize = 3;

/// How many processes a crowd of waiters has.
const CROWD_PROCESSES: usize = 8;

/// What is waited for, and whether a death ends the wait.
const SUBJECTS: [(&str, &str, bool); 8] = [
    ("shmkit Mutex", "takeover/shmkit", true),
    ("shmkit RwLock, write", "takeover-write/shmkit", true),
    ("shmkit Barrier", "takeover-party/shmkit", true),
    ("shmkit Condvar", "condition/shmkit", false),
    ("shmkit Semaphore", "semaphore/shmkit", false),
    ("shmkit Event", "event/shmkit", false),
    ("robust pthread mutex", "takeover/robust", true),
    ("futex", "semaphore/futex", false),
];

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (case, workload, ends_by_death) in SUBJECTS {
        let Some(workers) = Workers::start(harness, 0, workload, 8, &[0, 1]) else { continue };
        let shares = (0..SAMPLES).map(|_| {
            if ends_by_death {
                kill_holder(&workers, WAIT);
            } else {
                give_turn(&workers);
            }
            workers.processor_share(WAITER)
        });
        report.tell(case, 8, "% of a core", &Samples::of(shares.collect()))?;
    }
    run_crowd(harness, report)
}

/// Measures many waiters together.
fn run_crowd(harness: &Harness, report: &mut Report) -> io::Result<()> {
    // Worker 0 holds what the others wait for.
    let cpus: Vec<_> = (0..=CROWD_PROCESSES).map(|number| number % 2).collect();
    let workers = Workers::start(harness, 0, "crowd/shmkit", 8, &cpus);
    let Some(workers) = workers else { return Ok(()) };
    let share = || {
        let waiting = WAITER..workers.len();
        waiting.clone().for_each(|number| workers.begin(number, RUN, 1));
        waiting.clone().for_each(|number| _ = workers.wait(number));
        waiting.map(|number| workers.processor_share(number)).sum()
    };
    // Meanwhile the threads start, and arm their notices.
    let _: f64 = share();
    let shares = (0..SAMPLES).map(|_| share());
    let case = format!("{} waiters for a shmkit Mutex", CROWD_PROCESSES * CROWD_THREADS);
    report.tell(&case, 8, "% of a core", &Samples::of(shares.collect()))
}

/// Gives the waiter a turn after a long wait.
fn give_turn(workers: &Workers<'_>) {
    workers.begin(WAITER, RUN, 1);
    thread::sleep(WAIT);
    workers.begin(GIVER, RUN, 1);
    workers.wait(GIVER);
    workers.wait(WAITER);
}
