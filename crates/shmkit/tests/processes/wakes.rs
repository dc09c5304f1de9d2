//! Two processes take turns, and sleep in between: no wake is lost.

use std::time::Duration;

use shmkit::{Changes, Latest, LatestWriter};

use crate::children::{Child, Link};
use crate::test_dir::TestDir;

const NAMES: [&str; 2] = ["first", "second"];
/// 100,000 turns, half of them of each process.
const ROUNDS: u64 = 50_000;
/// How many turns may be found by a slow check by chance: a turn that came just then.
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
