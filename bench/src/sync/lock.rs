//! A lock that nobody else wants: locked, one added, unlocked.

use crate::crew::Job;
use crate::ground::Ground;
use crate::hand::{Task, Way};
use crate::report::{Case, Report};

use super::Pair;

const ROUNDS: u64 = 100_000;

const FLOOR: Job = Job { task: Task::Mutex, way: Way::Std };
const SUBJECTS: [(&str, Task, Way); 18] = [
    ("shmkit Mutex", Task::Mutex, Way::Shmkit),
    ("shmkit RwLock, read", Task::Read, Way::Shmkit),
    ("shmkit RwLock, write", Task::Write, Way::Shmkit),
    ("shmkit Semaphore", Task::Permit, Way::Shmkit),
    ("std Mutex", Task::Mutex, Way::Std),
    ("std RwLock, read", Task::Read, Way::Std),
    ("std RwLock, write", Task::Write, Way::Std),
    ("futex mutex", Task::Mutex, Way::Futex),
    ("pthread mutex", Task::Mutex, Way::Pthread),
    ("robust pthread mutex", Task::Mutex, Way::Robust),
    ("pthread rwlock, read", Task::Read, Way::Pthread),
    ("pthread rwlock, write", Task::Write, Way::Pthread),
    ("sem_t", Task::Permit, Way::Pthread),
    ("Boost mutex", Task::Mutex, Way::Boost),
    ("Boost sharable, read", Task::Read, Way::BoostSharable),
    ("Boost upgradable, read", Task::Read, Way::BoostUpgradable),
    ("Boost upgradable, write", Task::Write, Way::BoostUpgradable),
    ("Boost semaphore", Task::Permit, Way::Boost),
];

pub(crate) fn run(ground: &Ground, report: &mut Report) {
    for (name, task, way) in SUBJECTS {
        let Some(mut pair) = Pair::start(ground, FLOOR, Job { task, way }, &[1]) else { continue };
        let samples = pair.sample(|crew| crew.time(ROUNDS));
        let case = format!("{name} / std Mutex");
        report.tell(&Case { suite: "lock", case: &case, bytes: 8, unit: "ns" }, &samples);
    }
}
