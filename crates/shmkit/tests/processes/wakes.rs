//! Two processes that hand a turn to each other, asleep in between: no wake is lost.

use shmkit::{Changes, Latest, LatestWriter};

use crate::children::{Child, Link};
use crate::place::Place;

const NAMES: [&str; 2] = ["there", "back"];
/// 100,000 hand-overs, half of them each way.
const ROUNDS: u64 = 50_000;
/// So many may be found at the end of a slice without a loss: one that came in just that moment.
const BY_CHANCE: u64 = 5;

/// One of the two.
struct Side {
    writer: LatestWriter<u64>,
    changes: Changes<u64>,
}

impl Side {
    fn new([mine, other]: [&Latest<u64>; 2]) -> Self {
        let changes = other.changes().without_spinning();
        Self { writer: mine.writer().unwrap(), changes }
    }

    fn say(&mut self, round: u64) {
        self.writer.set(&round).unwrap();
    }

    fn hear(&mut self, round: u64) {
        assert_eq!(self.changes.next().unwrap(), round);
    }
}

/// Begins, or answers each number with the same; then tells what it found without a wake.
pub(crate) fn taking_turns(link: &mut Link) {
    let mut latests = NAMES.map(|name| Latest::<u64>::open(name).unwrap());
    let begins = link.task() == "begin";
    if !begins {
        latests.reverse();
    }
    let mut side = Side::new(latests.each_ref());
    link.say("ready");
    link.hear();
    for round in 1..=ROUNDS {
        if begins {
            side.say(round);
            side.hear(round);
        } else {
            side.hear(round);
            side.say(round);
        }
    }
    link.say(shmkit::crash::late_finds());
    link.hear();
}

#[test]
fn no_wake_is_lost_in_a_hundred_thousand_hand_overs() {
    let place = Place::new();
    let _objects = NAMES.map(|name| place.of::<u64>().create(name).unwrap());
    let mut sides = ["answer", "begin"].map(|task| Child::start(&place, "taking turns", task));
    for side in &mut sides {
        assert_eq!(side.hear(), "ready");
    }
    for side in &mut sides {
        side.say("go");
    }
    let late: u64 = sides.iter_mut().map(|side| side.hear().parse::<u64>().unwrap()).sum();
    println!("{late} of {} found without a wake", 2 * ROUNDS);
    assert!(late <= BY_CHANCE, "{late} of {} hand-overs were found without a wake", 2 * ROUNDS);
}
