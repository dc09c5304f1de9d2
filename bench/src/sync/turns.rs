//! Two who wait for each other, asleep: by a mutex and conditions, by semaphores, and by events.

use crate::crew::Job;
use crate::ground::Ground;
use crate::hand::{Task, Way};
use crate::report::{Case, Report};

use super::Pair;

const ROUNDS: u64 = 500;
const CORES: [(&str, [usize; 2]); 2] = [("two cores", [0, 1]), ("one core", [0, 0])];

const CONDITIONS: [(&str, Way); 5] = [
    ("shmkit", Way::Shmkit),
    ("futex", Way::Futex),
    ("robust pthread", Way::Robust),
    ("Boost", Way::Boost),
    ("std threads", Way::Std),
];
const SEMAPHORES: [(&str, Way); 4] = [
    ("shmkit", Way::Shmkit),
    ("futex", Way::Futex),
    ("sem_t", Way::Pthread),
    ("Boost", Way::Boost),
];
const EVENTS: [(&str, Way); 2] = [("shmkit", Way::Shmkit), ("futex", Way::Futex)];

pub(crate) fn run_condition(ground: &Ground, report: &mut Report) {
    run(ground, report, "condition", Task::Condition, &CONDITIONS);
}

pub(crate) fn run_semaphore(ground: &Ground, report: &mut Report) {
    run(ground, report, "semaphore", Task::Semaphore, &SEMAPHORES);
}

pub(crate) fn run_event(ground: &Ground, report: &mut Report) {
    run(ground, report, "event", Task::Event, &EVENTS);
}

fn run(ground: &Ground, report: &mut Report, suite: &str, task: Task, subjects: &[(&str, Way)]) {
    for (cores, cpus) in CORES {
        for (name, way) in subjects {
            let (floor, subject) = (Job { task, way: Way::Futex }, Job { task, way: *way });
            let Some(mut pair) = Pair::start(ground, floor, subject, &cpus) else { continue };
            let samples = pair.sample(|crew| crew.time(ROUNDS) / 1_000.0);
            let case = format!("{name} / futex, {cores}");
            report.tell(&Case { suite, case: &case, bytes: 8, unit: "us" }, &samples);
        }
    }
}
