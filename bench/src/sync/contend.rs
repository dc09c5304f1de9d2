//! Locks that several want at once, on two processors: how much gets done by all of them together,
//! and how evenly. More is better here, so a ratio above 1 is ahead of the floor.

use std::cell::RefCell;

use crate::crew::{HANDS, Job};
use crate::ground::Ground;
use crate::hand::{Task, Way, work_long};
use crate::latest::time;
use crate::report::{Case, Report, Samples};

use super::Pair;

/// More hands than processors: whoever holds the lock may not be running.
const CROWDS: [usize; 2] = [2, HANDS];
const MUTEXES: [(&str, Way); 6] = [
    ("shmkit", Way::Shmkit),
    ("robust pthread", Way::Robust),
    ("pthread", Way::Pthread),
    ("Boost", Way::Boost),
    ("futex", Way::Futex),
    ("std threads", Way::Std),
];
const RW_LOCKS: [(&str, Way); 5] = [
    ("shmkit", Way::Shmkit),
    ("pthread", Way::Pthread),
    ("Boost sharable", Way::BoostSharable),
    ("Boost upgradable", Way::BoostUpgradable),
    ("std threads", Way::Std),
];

/// Who is compared, and beside whom.
struct Comparison<'a> {
    suite: &'a str,
    name: &'a str,
    floor_name: &'a str,
    floor: Job,
    subject: Job,
    hands: usize,
}

pub(crate) fn run(ground: &Ground, report: &mut Report) {
    let (suite, floor_name) = ("contend", "robust");
    let length = Samples::alone(|| time(1_000, work_long));
    report.tell(&Case { suite, case: "a long section alone", bytes: 0, unit: "ns" }, &length);
    for (section, task) in [("short", Task::Mutex), ("long", Task::LongMutex)] {
        for hands in CROWDS {
            for (name, way) in MUTEXES {
                let (floor, subject) = (Job { task, way: Way::Robust }, Job { task, way });
                let name = &format!("{name}, {hands}, {section}");
                let it = Comparison { suite, name, floor_name, floor, subject, hands };
                it.run(ground, report);
            }
        }
    }
}

/// Readers and, seldom, writers.
pub(crate) fn run_rw_lock(ground: &Ground, report: &mut Report) {
    let (suite, floor_name) = ("rwlock", "pthread");
    let task = Task::ReadMostly;
    for (name, way) in RW_LOCKS {
        let (floor, subject) = (Job { task, way: Way::Pthread }, Job { task, way });
        let it = Comparison { suite, name, floor_name, floor, subject, hands: 2 };
        it.run(ground, report);
    }
}

impl Comparison<'_> {
    fn run(&self, ground: &Ground, report: &mut Report) {
        let Self { suite, name, subject, .. } = *self;
        let cpus: Vec<_> = (0..self.hands).map(|number| number % 2).collect();
        let Some(mut pair) = Pair::start(ground, self.floor, subject, &cpus) else { return };
        let shares = RefCell::new(Vec::new());
        let samples = pair.sample(|crew| {
            let counts = crew.count();
            if crew.job() == subject {
                shares.borrow_mut().push(counts.extremes());
            }
            counts.millions_per_second()
        });
        if is_counted_on_the_ground(subject) {
            pair.subject.assert_nothing_lost();
        }
        let case = format!("{name} / {}", self.floor_name);
        report.tell(&Case { suite, case: &case, bytes: 8, unit: "M/s" }, &samples);
        // The first was there to warm up.
        let (least, most): (Vec<_>, Vec<_>) = shares.take().into_iter().skip(1).unzip();
        for (figure, values) in [("least", least), ("most", most)] {
            let case = format!("{name}: {figure}");
            let case = Case { suite, case: &case, bytes: 8, unit: "% of even" };
            report.tell(&case, &Samples::of(values));
        }
    }
}

/// Whether what is under the lock is where it can be compared with what the hands counted.
fn is_counted_on_the_ground(job: Job) -> bool {
    let elsewhere = job.way.is_threads() || job.way == Way::Shmkit;
    matches!(job.task, Task::Mutex | Task::LongMutex) && !elsewhere
}
