//! A child is killed at each point at which one can be in locks, conditions and so on; the others
//! are told what is promised, and go on as before.

mod condvar;
mod event;
mod locks;
mod meetings;
mod once;
mod semaphore;

pub(crate) use meetings::{absent_party, slow_party};
pub(crate) use semaphore::{check_permits, holder_of_permits};

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::children::{Child, Link};
use crate::place::Place;

/// What the object of a test is called.
const NAME: &str = "struck";
/// So many rounds work after each death.
const MORE: u32 = 1_000;
pub(crate) const ROLE: &str = "struck in sync";

/// Where a child is killed, while it does what.
struct Case {
    deed: &'static str,
    point: &'static str,
    /// How many deaths each survivor, or one of them, is told of.
    news: u32,
}

const fn case(deed: &'static str, point: &'static str, news: u32) -> Case {
    Case { deed, point, news }
}

impl Case {
    /// Starts the child, which never ends by itself.
    fn start(&self, place: &Place) -> Child {
        println!("{} at {:?}", self.deed, self.point);
        Child::start_to_die_at(place, self.point, ROLE, self.deed)
    }

    #[track_caller]
    fn strike(&self, place: &Place) {
        assert!(self.start(place).was_killed());
    }
}

const CASES: [&[Case]; 6] =
    [locks::CASES, condvar::CASES, semaphore::CASES, event::CASES, meetings::CASES, once::CASES];

/// Its name, and how it is done.
type Deed = (&'static str, fn(&mut Link));

/// What children do, for ever.
const DEEDS: [&[Deed]; 6] =
    [locks::DEEDS, condvar::DEEDS, semaphore::DEEDS, event::DEEDS, meetings::DEEDS, once::DEEDS];

/// Does the deed that is its task.
pub(crate) fn struck(link: &mut Link) {
    let task = link.task();
    let (_, deed) = DEEDS.iter().copied().flatten().find(|(name, _)| *name == task).unwrap();
    deed(link);
    unreachable!("{task:?} came to an end");
}

#[test]
fn someone_is_killed_at_every_point() {
    let reached = CASES.iter().copied().flatten().map(|case| case.point);
    let shared = ["owner: freed, nobody woken", "sleepers: word changed, nobody woken"];
    let all = shmkit::crash::SYNC_POINTS.iter().copied().chain(shared);
    assert_eq!(BTreeSet::from_iter(reached), BTreeSet::from_iter(all));
}

/// Set when it goes, however that comes about: so that nobody waits for a failed test.
struct Signal<'a>(&'a AtomicBool);

impl Drop for Signal<'_> {
    fn drop(&mut self) {
        // ORDERING: Relaxed; it may come late.
        self.0.store(true, Ordering::Relaxed);
    }
}

fn is_set(signal: &AtomicBool) -> bool {
    // ORDERING: Relaxed; as above.
    signal.load(Ordering::Relaxed)
}
