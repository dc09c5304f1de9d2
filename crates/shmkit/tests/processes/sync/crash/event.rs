//! One who sets an event has done so, and one who waits for it takes nothing with him.

use std::sync::atomic::AtomicBool;
use std::thread;

use shmkit::sync::{Event, Reset, named::Named};

use super::{Case, Deed, MORE, NAME, Signal, case, is_set};
use crate::place::Place;
use crate::sync::ledger::PATIENCE;

/// One is set by one side, the other by the other side, in turn.
type Turns = [Event; 2];

const UNWOKEN: &str = "sleepers: word changed, nobody woken";

pub(super) const CASES: &[Case] =
    &[case("set a manual event", UNWOKEN, 0), case("set an automatic event", UNWOKEN, 0)];

pub(super) const DEEDS: &[Deed] =
    &[("set a manual event", |_| for_ever()), ("set an automatic event", |_| for_ever())];

fn for_ever() {
    let turns = Named::<Turns>::open(NAME).unwrap();
    loop {
        turns[0].set().unwrap();
        await_turn(&turns[1]);
    }
}

fn await_turn(event: &Event) {
    event.wait_timeout(PATIENCE).expect("it was set");
    // One that is reset automatically is so already.
    event.reset().unwrap();
}

#[test]
fn what_a_dead_one_set_is_set() {
    for (case, reset) in CASES.iter().zip([Reset::Manual, Reset::Automatic]) {
        survive(case, reset);
    }
}

/// One answers the child, and then another who goes on in its place.
fn survive(case: &Case, reset: Reset) {
    let place = Place::new();
    let options = Named::<Turns>::options().directory(place.path());
    let [begins, answers] = [(); 2].map(|()| options.open_or_create(NAME, [reset, reset]).unwrap());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_set(&over) {
                await_turn(&answers[0]);
                answers[1].set().unwrap();
            }
        });
        let signal = Signal(&over);
        case.strike(&place);
        // The child had set it, and told nobody.
        await_turn(&begins[1]);
        for _ in 0..MORE {
            begins[0].set().unwrap();
            await_turn(&begins[1]);
        }
        drop(signal);
        begins[0].set().unwrap();
    });
}
