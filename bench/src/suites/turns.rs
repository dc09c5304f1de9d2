//! Two workers that wait for each other, by conditions, semaphores or events: on two processors,
//! and on one.

use std::io;

use crate::harness::pair::Pair;
use crate::harness::report::Report;
use crate::harness::workers::Harness;

const ROUNDS: u64 = 500;
const CORES: [(&str, [usize; 2]); 2] = [("two cores", [0, 1]), ("one core", [0, 0])];

/// A label and a workload.
type Subject = (&'static str, &'static str);

const CONDITIONS: [Subject; 5] = [
    ("shmkit", "condition/shmkit"),
    ("futex", "condition/futex"),
    ("robust pthread", "condition/robust"),
    ("Boost", "condition/boost"),
    ("std threads", "condition/std"),
];
const SEMAPHORES: [Subject; 4] = [
    ("shmkit", "semaphore/shmkit"),
    ("futex", "semaphore/futex"),
    ("sem_t", "semaphore/pthread"),
    ("Boost", "semaphore/boost"),
];
const EVENTS: [Subject; 2] = [("shmkit", "event/shmkit"), ("futex", "event/futex")];

pub(crate) fn run_condition(harness: &Harness, report: &mut Report) -> io::Result<()> {
    run(harness, report, "condition/futex", &CONDITIONS)
}

pub(crate) fn run_semaphore(harness: &Harness, report: &mut Report) -> io::Result<()> {
    run(harness, report, "semaphore/futex", &SEMAPHORES)
}

pub(crate) fn run_event(harness: &Harness, report: &mut Report) -> io::Result<()> {
    run(harness, report, "event/futex", &EVENTS)
}

fn run(
    harness: &Harness,
    report: &mut Report,
    floor: &str,
    subjects: &[Subject],
) -> io::Result<()> {
    for (cores, cpus) in CORES {
        for (name, workload) in subjects {
            let case = format!("{name} / futex, {cores}");
            if !harness.wants(&case) {
                continue;
            }
            let Some(pair) = Pair::start(harness, floor, workload, 0, &cpus) else { continue };
            let samples = pair.sample(|workers| workers.time(ROUNDS) / 1_000.0);
            report.tell(&case, 8, "us", &samples)?;
        }
    }
    Ok(())
}
