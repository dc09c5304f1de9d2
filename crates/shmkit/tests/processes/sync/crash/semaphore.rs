//! Permits of the dead come back, and none is made.

use std::sync::atomic::AtomicBool;
use std::thread;

use shmkit::sync::{Semaphore, named};

use super::{Case, Deed, MORE, NAME, Signal, case, is_set};
use crate::children::{Child, Link};
use crate::place::Place;
use crate::sync::ledger::PATIENCE;

const FOUND: &str = "semaphore: permit of a dead one found";

pub(super) const CASES: &[Case] = &[
    case("acquire", "semaphore: taken, not on record", 0),
    case("acquire", "semaphore: given back, not on record", 0),
    case("acquire", "sleepers: word changed, nobody woken", 0),
    case("acquire", FOUND, 0),
];

pub(super) const DEEDS: &[Deed] = &[("acquire", |_| {
    let semaphore = named::Semaphore::open(NAME).unwrap();
    loop {
        acquire(&semaphore);
    }
})];

fn acquire(semaphore: &Semaphore) {
    let permit = semaphore.acquire_timeout(PATIENCE).expect("a permit was lost");
    thread::yield_now();
    drop(permit);
}

/// Takes two permits, of which one is consumed, and dies with the other and a third.
pub(crate) fn holder_of_permits(link: &mut Link) {
    let semaphore = named::Semaphore::open(NAME).unwrap();
    let permits = [(); 3].map(|()| semaphore.acquire().unwrap());
    let [first, ..] = permits;
    first.forget();
    link.say("held");
    link.hear();
}

#[test]
fn permits_of_the_dead_come_back_once() {
    for case in CASES {
        for permits in [1, 2] {
            survive(case, permits);
        }
    }
}

/// Two others want permits before, while and after the child dies.
fn survive(case: &Case, permits: u32) {
    let place = Place::new();
    let options = named::Semaphore::options().directory(place.path());
    let semaphores = [(); 2].map(|()| options.open_or_create(NAME, permits).unwrap());
    if case.point == FOUND {
        // Somebody else's death is what the child finds.
        semaphores[0].post(3).unwrap();
        let mut holder = Child::start(&place, "holder of permits", "");
        assert_eq!(holder.hear(), "held");
        semaphores[0].consume().unwrap();
        semaphores[0].post(1).unwrap();
        holder.kill();
        case.strike(&place);
        // Two came back; the one that was consumed did not.
        (0..2).for_each(|_| semaphores[0].consume_timeout(PATIENCE).unwrap());
    }
    let dead = AtomicBool::new(case.point == FOUND);
    thread::scope(|scope| {
        for semaphore in &semaphores {
            let dead = &dead;
            scope.spawn(move || {
                while !is_set(dead) {
                    acquire(semaphore);
                }
                (0..MORE).for_each(|_| acquire(semaphore));
            });
        }
        if case.point != FOUND {
            let _signal = Signal(&dead);
            case.strike(&place);
        }
    });
    check_permits(&semaphores[0], permits);
}

/// All permits can be had, and no more.
#[track_caller]
pub(crate) fn check_permits(semaphore: &Semaphore, permits: u32) {
    let all: Vec<_> =
        (0..permits).map(|_| semaphore.acquire_timeout(PATIENCE).expect("none lost")).collect();
    assert_eq!(semaphore.available(), 0, "one was made");
    drop(all);
    assert_eq!(semaphore.available(), u64::from(permits));
}
