//! An event that a process sets before it dies stays set, and a waiter that dies takes nothing.

use std::thread;

use shmkit::sync::{Event, Reset};

use super::{Case, NAME, Operation, ROUNDS_AFTER, WAITERS_NOT_WOKEN, case};
use crate::flag::Flag;
use crate::test_dir::{TestDir, open};
use crate::times::TIMEOUT;

/// One side sets the first event, and waits for the second; the other side the reverse.
type Turns = [Event; 2];

pub(super) const CASES: &[Case] = &[
    case("set a manual event", WAITERS_NOT_WOKEN, 0),
    case("set an automatic event", WAITERS_NOT_WOKEN, 0),
];

pub(super) const OPERATIONS: &[Operation] =
    &[("set a manual event", |_| take_turns()), ("set an automatic event", |_| take_turns())];

fn take_turns() {
    let turns = open::<Turns>(NAME);
    loop {
        turns[0].set().unwrap();
        wait_and_reset(&turns[1]);
    }
}

fn wait_and_reset(event: &Event) {
    event.wait_timeout(TIMEOUT).expect("the event was set");
    // Changes nothing for an automatic event.
    event.reset().unwrap();
}

#[test]
fn an_event_set_by_a_process_that_then_died_is_set() {
    for (case, reset) in CASES.iter().zip([Reset::Manual, Reset::Automatic]) {
        check(case, reset);
    }
}

/// A thread answers the child, and after its death this thread in its place.
fn check(case: &Case, reset: Reset) {
    let dir = TestDir::new();
    let [first, second] = dir.handles::<Turns, 2>(NAME, [reset, reset]);
    let stop = Flag::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.is_set() {
                wait_and_reset(&second[0]);
                second[1].set().unwrap();
            }
        });
        let set_stop = stop.set_on_drop();
        case.kill_child(&dir);
        // The child had set the event, and woken no waiter.
        wait_and_reset(&first[1]);
        for _ in 0..ROUNDS_AFTER {
            first[0].set().unwrap();
            wait_and_reset(&first[1]);
        }
        drop(set_stop);
        first[0].set().unwrap();
    });
}
