//! What it costs to wait for long: how much of a processor one uses who sleeps.

use std::thread;
use std::time::Duration;

use crate::crew::{Crew, Job};
use crate::ground::Ground;
use crate::hand::{GIVER, Task, Way};
use crate::report::{Case, Report, Samples};

use super::takeover::{self, WAITER};

/// How long it waits, each time, and how often.
const WAIT: Duration = Duration::from_secs(2);
const SAMPLES: usize = 3;

/// What is waited for, and whether it ends by a death.
const SUBJECTS: [(&str, Task, Way, bool); 8] = [
    ("shmkit Mutex", Task::Takeover, Way::Shmkit, true),
    ("shmkit RwLock, write", Task::TakeoverWrite, Way::Shmkit, true),
    ("shmkit Barrier", Task::TakeoverParty, Way::Shmkit, true),
    ("shmkit Condvar", Task::Condition, Way::Shmkit, false),
    ("shmkit Semaphore", Task::Semaphore, Way::Shmkit, false),
    ("shmkit Event", Task::Event, Way::Shmkit, false),
    ("robust pthread mutex", Task::Takeover, Way::Robust, true),
    ("futex", Task::Semaphore, Way::Futex, false),
];

pub(crate) fn run(ground: &Ground, report: &mut Report) {
    for (case, task, way, by_death) in SUBJECTS {
        let Some(mut crew) = Crew::start(ground, 0, Job { task, way }, &[0, 1]) else { continue };
        let shares = (0..SAMPLES).map(|_| {
            if by_death {
                takeover::take_over(&mut crew, WAIT);
            } else {
                take_turns(&mut crew);
            }
            crew.share_of_processor(WAITER)
        });
        let shares = Samples::of(shares.collect());
        report.tell(&Case { suite: "idle", case, bytes: 8, unit: "% of a core" }, &shares);
    }
}

/// One turn, for which the taker waits.
fn take_turns(crew: &mut Crew<'_>) {
    crew.begin(WAITER, 1);
    thread::sleep(WAIT);
    crew.begin(GIVER, 1);
    crew.end(GIVER);
    crew.end(WAITER);
}
