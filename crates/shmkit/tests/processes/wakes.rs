//! No wake is lost: neither between two processes that take turns, nor that of a cancelled wait, or
//! of an aborted one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use shmkit::sync::{Barrier, Event, Reset};
use shmkit::{CancelToken, Changes, ErrorKind, Latest, LatestWriter, Object};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, kind};

const NAMES: [&str; 2] = ["first", "second"];
/// 100,000 turns, half of them of each process.
const ROUNDS: u64 = 50_000;
/// How many turns may be found by a slow check by chance: a turn that came just then. The same for
/// cancels.
const BY_CHANCE: u64 = 5;

/// One of the two processes' view of the two objects.
struct Side {
    writer: LatestWriter<u64>,
    changes: Changes<u64>,
}

impl Side {
    fn new([mine, other]: [&Latest<u64>; 2]) -> Self {
        let changes = other.changes().spin_for(Duration::ZERO);
        Self { writer: mine.writer().unwrap(), changes }
    }

    fn set(&mut self, round: u64) {
        self.writer.set(&round).unwrap();
    }

    fn wait_for(&mut self, round: u64) {
        assert_eq!(self.changes.next().unwrap(), round);
    }
}

/// Begins or answers each turn, and then reports how many turns a slow check found.
pub(crate) fn alternating(link: &mut Link) {
    let mut latests = NAMES.map(|name| Latest::<u64>::open(name).unwrap());
    let begins = link.task() == "begin";
    if !begins {
        latests.reverse();
    }
    let mut side = Side::new(latests.each_ref());
    link.send("ready");
    link.receive();
    for round in 1..=ROUNDS {
        if begins {
            side.set(round);
            side.wait_for(round);
        } else {
            side.wait_for(round);
            side.set(round);
        }
    }
    link.send(shmkit::crash::late_finds());
    link.receive();
}

#[test]
fn no_wake_is_lost_in_a_hundred_thousand_turns() {
    let dir = TestDir::new();
    let _objects = NAMES.map(|name| dir.latest::<u64>().create(name).unwrap());
    let mut sides = ["answer", "begin"].map(|task| Child::start_ready(&dir, "alternating", task));
    for side in &mut sides {
        side.send("start");
    }
    let late: u64 = sides.iter_mut().map(|side| side.receive().parse::<u64>().unwrap()).sum();
    assert!(late <= BY_CHANCE, "{late} of {} turns were found by a slow check", 2 * ROUNDS);
}

const CANCELS: u64 = if cfg!(windows) { 20 } else { 200 };

/// Cancels the waits of three threads again and again, half the time once they sleep. Answers how
/// many sleeps ended by time.
pub(crate) fn cancelled(link: &mut Link) {
    let (one, two) = (Object::<Event>::options(), Object::<[Event; 2]>::options());
    let one = one.spin_for(Duration::ZERO).create("one", Reset::Manual).unwrap();
    let two = two.spin_for(Duration::ZERO).create("two", [Reset::Manual; 2]).unwrap();
    for round in 0..CANCELS {
        let begun = AtomicU32::new(0);
        let [outer, inner] = [(); 2].map(|()| CancelToken::new());
        std::thread::scope(|scope| {
            let events = [&*one, &two[0], &two[1]];
            let wait = |event: &Event| {
                // ORDERING: Relaxed; only counted.
                begun.fetch_add(1, Ordering::Relaxed);
                outer.run(|| inner.run(|| kind(event.wait())))
            };
            let waiting = events.map(|event| scope.spawn(move || wait(event)));
            if round % 2 == 0 {
                // ORDERING: Relaxed; as above.
                while begun.load(Ordering::Relaxed) < 3 {
                    std::thread::yield_now();
                }
                // They are counted before they sleep. To ask for waiters would wake them: the file
                // is closed after that, and each close can be a death.
                std::thread::sleep(Duration::from_millis(1));
            }
            if round % 4 < 2 {
                outer.cancel()
            } else {
                inner.cancel()
            }
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), ErrorKind::Cancelled);
            }
        });
    }
    link.send(shmkit::crash::expired_sleeps());
    link.receive();
}

#[test]
fn threads_that_sleep_are_woken_by_a_cancel_and_not_by_time() {
    let dir = TestDir::new();
    let expired: u64 = Child::start(&dir, "cancelled", "").receive().parse().unwrap();
    assert!(expired <= BY_CHANCE, "{expired} sleeps ended by time in {CANCELS} rounds");
}

const ABORTS: u64 = if cfg!(windows) { 20 } else { 100 };

/// Aborts and resets a barrier again and again, each time once three threads sleep there. Answers
/// how many of their waits ended by a slow check.
pub(crate) fn aborted(link: &mut Link) {
    // Notices could wake them, too.
    let options = Object::<Barrier>::options().spin_for(Duration::ZERO).death_notices(false);
    let barrier = options.create("barrier", 4).unwrap();
    let mut parties = [(); 3].map(|()| barrier.join().unwrap());
    for end in (0..ABORTS).flat_map(|_| [Barrier::abort, Barrier::reset]) {
        std::thread::scope(|scope| {
            let waiting = parties.each_mut().map(|party| scope.spawn(|| kind(party.wait())));
            while barrier.waiting() != 3 {
                std::thread::yield_now();
            }
            // They arrive before they sleep.
            std::thread::sleep(Duration::from_millis(1));
            end(&barrier).unwrap();
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), ErrorKind::Aborted);
            }
        });
        barrier.reset().unwrap();
    }
    link.send(shmkit::crash::late_finds());
    link.receive();
}

#[test]
fn parties_that_sleep_are_woken_by_an_abort_and_by_a_reset() {
    let dir = TestDir::new();
    let late: u64 = Child::start(&dir, "aborted", "").receive().parse().unwrap();
    assert!(late <= BY_CHANCE, "a slow check found {late} of {} ends", 6 * ABORTS);
}
