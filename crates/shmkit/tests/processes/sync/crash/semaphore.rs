//! The permits of dead processes return, and no permit is created.

use std::thread;

use shmkit::sync::Semaphore;

use super::{Case, NAME, Operation, ROUNDS_AFTER, WAITERS_NOT_WOKEN, case};
use crate::children::{Child, Link};
use crate::flag::Flag;
use crate::test_dir::{TestDir, open};
use crate::times::TIMEOUT;

const DEAD_FOUND: &str = "semaphore: dead participant's permit found";

pub(super) const CASES: &[Case] = &[
    case("acquire", "semaphore: permit taken, not recorded", 0),
    case("acquire", "semaphore: permit given back, not recorded", 0),
    case("acquire", WAITERS_NOT_WOKEN, 0),
    case("acquire", DEAD_FOUND, 0),
];

pub(super) const OPERATIONS: &[Operation] = &[("acquire", |_| {
    let semaphore = open::<Semaphore>(NAME);
    loop {
        acquire(&semaphore);
    }
})];

fn acquire(semaphore: &Semaphore) {
    let permit = semaphore.acquire_timeout(TIMEOUT).expect("no permit is lost");
    thread::yield_now();
    drop(permit);
}

/// Acquires three permits, consumes one of them, and holds the other two until it is killed.
pub(crate) fn permit_holder(link: &mut Link) {
    let semaphore = open::<Semaphore>(NAME);
    let permits = [(); 3].map(|()| semaphore.acquire().unwrap());
    let [first, ..] = permits;
    first.forget();
    link.send("ready");
    link.receive();
}

#[test]
fn permits_of_dead_processes_return_exactly_once() {
    for case in CASES {
        for permits in [1, 2] {
            check(case, permits);
        }
    }
}

/// Two threads acquire permits before, while and after the child dies.
fn check(case: &Case, permits: u32) {
    let dir = TestDir::new();
    let semaphores = dir.handles::<Semaphore, 2>(NAME, permits);
    let dead = Flag::new();
    if case.point == DEAD_FOUND {
        // The child finds the permits of another dead process.
        semaphores[0].post(3).unwrap();
        let mut holder = Child::start_ready(&dir, "permit holder", "");
        semaphores[0].consume().unwrap();
        semaphores[0].post(1).unwrap();
        holder.kill();
        case.kill_child(&dir);
        dead.set();
        // Two permits have returned; the consumed one has not.
        (0..2).for_each(|_| semaphores[0].consume_timeout(TIMEOUT).unwrap());
    }
    thread::scope(|scope| {
        for semaphore in &semaphores {
            let dead = &dead;
            scope.spawn(move || {
                while !dead.is_set() {
                    acquire(semaphore);
                }
                (0..ROUNDS_AFTER).for_each(|_| acquire(semaphore));
            });
        }
        if !dead.is_set() {
            let _set_dead = dead.set_on_drop();
            case.kill_child(&dir);
        }
    });
    assert_permits(&semaphores[0], permits);
}

/// Checks that all permits are available, and no more.
#[track_caller]
pub(crate) fn assert_permits(semaphore: &Semaphore, permits: u32) {
    let all: Vec<_> = (0..permits)
        .map(|_| semaphore.acquire_timeout(TIMEOUT).expect("no permit is lost"))
        .collect();
    assert_eq!(semaphore.available(), 0, "a permit was created");
    drop(all);
    assert_eq!(semaphore.available(), u64::from(permits));
}
