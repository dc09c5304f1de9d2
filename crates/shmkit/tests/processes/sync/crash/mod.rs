//! A child is killed at each crash point of the primitives. The survivors must be told of the
//! death where that is promised, and must go on.

mod barrier;
mod condvar;
mod event;
mod locks;
mod once;
mod semaphore;

pub(crate) use barrier::{party_that_never_waits, party_that_waits_once};
pub(crate) use semaphore::{assert_permits, permit_holder};

use std::collections::BTreeSet;

use crate::children::{Child, Link};
use crate::test_dir::TestDir;

/// The name of a test's object.
const NAME: &str = "object";
/// How many rounds the survivors make after each death.
const ROUNDS_AFTER: u32 = 1_000;
pub(crate) const ROLE: &str = "crash in sync";

const WAITERS_NOT_WOKEN: &str = "wait: word changed, nobody woken";

/// At which point of which operation a child is killed.
struct Case {
    operation: &'static str,
    point: &'static str,
    /// How many deaths are reported, to one survivor or to each.
    deaths: u32,
}

const fn case(operation: &'static str, point: &'static str, deaths: u32) -> Case {
    Case { operation, point, deaths }
}

impl Case {
    /// Starts the child, which never ends by itself.
    fn start(&self, dir: &TestDir) -> Child {
        println!("{self}");
        Child::start_to_die_at(dir, self.point, ROLE, self.operation)
    }

    /// Starts the child, and waits until it is killed at the point.
    #[track_caller]
    fn kill_child(&self, dir: &TestDir) {
        assert!(self.start(dir).was_killed(), "{self}: the child ended by itself");
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {:?}", self.operation, self.point)
    }
}

const CASES: [&[Case]; 6] =
    [locks::CASES, condvar::CASES, semaphore::CASES, event::CASES, barrier::CASES, once::CASES];

/// A name, and what a child does without an end.
type Operation = (&'static str, fn(&mut Link));

const OPERATIONS: [&[Operation]; 6] = [
    locks::OPERATIONS,
    condvar::OPERATIONS,
    semaphore::OPERATIONS,
    event::OPERATIONS,
    barrier::OPERATIONS,
    once::OPERATIONS,
];

/// Runs the operation of its task.
pub(crate) fn role(link: &mut Link) {
    let task = link.task();
    let mut operations = OPERATIONS.iter().copied().flatten();
    let (_, operation) = operations.find(|(name, _)| *name == task).unwrap();
    operation(link);
    unreachable!("{task:?} has ended");
}

#[test]
fn every_crash_point_has_a_case() {
    let tested = CASES.iter().copied().flatten().map(|case| case.point);
    let shared = [WAITERS_NOT_WOKEN];
    let all = shmkit::crash::SYNC_POINTS.iter().copied().chain(shared);
    assert_eq!(BTreeSet::from_iter(tested), BTreeSet::from_iter(all));
}
