//! From the kill of a process that holds something until one that waits for it goes on: with what
//! it held, or with the news that nobody comes.
//!
//! Boost's and plain POSIX mutexes are not here: who waits for them waits for ever.

use std::cell::Cell;
use std::mem;
use std::thread;
use std::time::Duration;

use crate::crew::{Crew, Job};
use crate::ground::Ground;
use crate::hand::{Hand, Task, Way};
use crate::report::{Case, Report};

use super::Pair;

pub(super) const HOLDER: usize = 0;
pub(super) const WAITER: usize = 1;
/// Until the waiter has long been asleep.
const SETTLED_MS: u64 = 5;
/// Longer than anybody sleeps without a look, and how much longer each time: so that deaths come at
/// any moment of a sleep.
const SPREAD_MS: u64 = 53;
const STEP_MS: u64 = 17;

const FLOOR: Job = Job { task: Task::Takeover, way: Way::Robust };
const SUBJECTS: [(&str, Task, Way); 5] = [
    ("shmkit Mutex", Task::Takeover, Way::Shmkit),
    ("shmkit RwLock, write", Task::TakeoverWrite, Way::Shmkit),
    ("shmkit Semaphore", Task::TakeoverPermit, Way::Shmkit),
    ("shmkit Barrier", Task::TakeoverParty, Way::Shmkit),
    ("robust pthread", Task::Takeover, Way::Robust),
];

/// Gets what it is to be killed with; or waits for it, and gives it back.
pub(super) fn hold_or_wait<T>(hand: &Hand, hold: impl Fn() -> T, wait: impl Fn()) {
    hand.obey(|| if hand.number() == HOLDER { mem::forget(hold()) } else { wait() });
}

/// Has one hold and the other wait, and kills the first after a while. The milliseconds from then
/// until the other went on.
pub(super) fn take_over(crew: &mut Crew<'_>, after: Duration) -> f64 {
    crew.begin(HOLDER, 1);
    crew.end(HOLDER);
    crew.begin(WAITER, 1);
    thread::sleep(after);
    let killed = crew.kill(HOLDER);
    let taken = crew.end(WAITER);
    crew.replace(HOLDER);
    (taken - killed) as f64 / 1e6
}

pub(crate) fn run(ground: &Ground, report: &mut Report) {
    for (name, task, way) in SUBJECTS {
        let Some(mut pair) = Pair::start(ground, FLOOR, Job { task, way }, &[0, 1]) else {
            continue;
        };
        let later_ms = Cell::new(0);
        let samples = pair.sample(|crew| {
            later_ms.set((later_ms.get() + STEP_MS) % SPREAD_MS);
            take_over(crew, Duration::from_millis(SETTLED_MS + later_ms.get()))
        });
        let case = format!("{name} / robust pthread");
        report.tell(&Case { suite: "takeover", case: &case, bytes: 8, unit: "ms" }, &samples);
    }
}
