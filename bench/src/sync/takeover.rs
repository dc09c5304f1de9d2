//! From the kill of a process that holds a mutex until one that waits for it has it.
//!
//! Boost's and plain POSIX mutexes are not here: who waits for them waits for ever.

use std::thread;
use std::time::Duration;

use crate::crew::{Crew, Job};
use crate::ground::Ground;
use crate::hand::{Hand, Task, Way};
use crate::report::{Case, Report};

use super::Pair;

const HOLDER: usize = 0;
const WAITER: usize = 1;
/// Until the waiter has long been asleep.
const SETTLED: Duration = Duration::from_millis(5);

const SUBJECTS: [(&str, Way); 1] = [("robust pthread", Way::Robust)];

/// Locks; and unlocks too, unless it is to be killed with it.
pub(super) fn hold_or_wait<T>(hand: &Hand, lock: impl Fn() -> T, unlock: impl Fn(T)) {
    hand.obey(|| {
        let held = lock();
        if hand.number() == HOLDER { std::mem::forget(held) } else { unlock(held) }
    });
}

/// The milliseconds of one.
fn take_over(crew: &mut Crew<'_>) -> f64 {
    crew.begin(HOLDER, 1);
    crew.end(HOLDER);
    crew.begin(WAITER, 1);
    thread::sleep(SETTLED);
    let killed = crew.kill(HOLDER);
    let taken = crew.end(WAITER);
    crew.replace(HOLDER);
    (taken - killed) as f64 / 1e6
}

pub(crate) fn run(ground: &Ground, report: &mut Report) {
    let task = Task::Takeover;
    for (name, way) in SUBJECTS {
        let (floor, subject) = (Job { task, way: Way::Robust }, Job { task, way });
        let Some(mut pair) = Pair::start(ground, floor, subject, &[0, 1]) else { continue };
        let samples = pair.sample(take_over);
        let case = format!("{name} / robust pthread");
        report.tell(&Case { suite: "takeover", case: &case, bytes: 8, unit: "ms" }, &samples);
    }
}
