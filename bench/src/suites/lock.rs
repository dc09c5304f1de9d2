//! A lock without contention: acquired, one added, released.

use std::io;

use crate::harness::pair::Pair;
use crate::harness::report::Report;
use crate::harness::workers::Harness;

const ROUNDS: u64 = 100_000;

const FLOOR: &str = "mutex/std";
const SUBJECTS: [(&str, &str); 18] = [
    ("shmkit Mutex", "mutex/shmkit"),
    ("shmkit RwLock, read", "read/shmkit"),
    ("shmkit RwLock, write", "write/shmkit"),
    ("shmkit Semaphore", "permit/shmkit"),
    ("std Mutex", "mutex/std"),
    ("std RwLock, read", "read/std"),
    ("std RwLock, write", "write/std"),
    ("futex mutex", "mutex/futex"),
    ("pthread mutex", "mutex/pthread"),
    ("robust pthread mutex", "mutex/robust"),
    ("pthread rwlock, read", "read/pthread"),
    ("pthread rwlock, write", "write/pthread"),
    ("sem_t", "permit/pthread"),
    ("Boost mutex", "mutex/boost"),
    ("Boost sharable, read", "read/boost-sharable"),
    ("Boost upgradable, read", "read/boost-upgradable"),
    ("Boost upgradable, write", "write/boost-upgradable"),
    ("Boost semaphore", "permit/boost"),
];

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (name, workload) in SUBJECTS {
        let case = format!("{name} / std Mutex");
        if !harness.wants(&case) {
            continue;
        }
        let Some(pair) = Pair::start(harness, FLOOR, workload, 0, &[1]) else { continue };
        let samples = pair.sample(|workers| workers.time(ROUNDS));
        report.tell(&case, 8, "ns", &samples)?;
    }
    Ok(())
}
