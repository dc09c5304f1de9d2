//! The cost of a long wait: how much of a processor one waiter uses, and how much 800 use together.

use std::io;

use crate::harness::report::Report;
use crate::harness::samples::Samples;
use crate::harness::workers::{Harness, PINNED, Workers, cpus};
use crate::workloads::crowd::{processor_share, settle};

const SAMPLES: usize = 3;
/// How many processes a crowd of waiters has, and how many threads of each wait.
const CROWD_PROCESSES: usize = 8;
const CROWD_THREADS: usize = 100;

/// What is waited for.
const SUBJECTS: [(&str, &str); 10] = [
    ("shmkit Mutex", "idle/shmkit"),
    ("shmkit RwLock, write", "idle-write/shmkit"),
    ("shmkit Semaphore", "idle-permit/shmkit"),
    ("shmkit Barrier", "idle-party/shmkit"),
    ("shmkit Condvar", "idle-condition/shmkit"),
    ("shmkit Event", "idle-event/shmkit"),
    ("shmkit Latest", "idle-change/shmkit"),
    ("shmkit WaitSet of 100", "idle-set/shmkit"),
    ("robust pthread mutex", "idle/robust"),
    ("futex", "idle/futex"),
];

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (name, workload) in SUBJECTS {
        tell(harness, report, &format!("1 waiter, {name}"), workload, (1, 1))?;
        let crowd = (CROWD_PROCESSES, CROWD_THREADS);
        tell(harness, report, &format!("800 waiters, {name}"), workload, crowd)?;
    }
    Ok(())
}

fn tell(
    harness: &Harness,
    report: &mut Report,
    case: &str,
    workload: &str,
    (processes, threads): (usize, usize),
) -> io::Result<()> {
    if !harness.wants(case) {
        return Ok(());
    }
    // The holder, then the waiters: a single one is on the other processor.
    let cpus = cpus(PINNED, processes + 1);
    let workers = Workers::start(harness, 0, workload, threads, &cpus);
    let Some(workers) = workers else { return Ok(()) };
    settle(&workers);
    let shares = (0..SAMPLES).map(|_| processor_share(&workers));
    report.tell(case, 0, "% of a core", &Samples::of(shares.collect()))
}
