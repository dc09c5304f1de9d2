//! What is done once is tried again after a death half-way, and never after one behind it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use shmkit::sync::{Once, named::Named};

use super::{Case, Deed, MORE, NAME, case};
use crate::place::Place;

type Starts = [Once; MORE as usize];

const BEGUN: &str = "once: begun";

pub(super) const CASES: &[Case] =
    &[case("do once", BEGUN, 1), case("do once", "owner: freed, nobody woken", 0)];

/// Does each, once the others wait for it.
pub(super) const DEEDS: &[Deed] = &[("do once", |link| {
    let starts = Named::<Starts>::open(NAME).unwrap();
    for start in starts.iter() {
        let act = |again: bool| {
            assert!(!again);
            link.say("doing");
            link.hear();
        };
        start.call_once_force(act).unwrap();
        link.say("done");
        link.hear();
    }
})];

#[test]
fn what_a_dead_one_had_begun_is_done_by_another_who_is_told() {
    CASES.iter().for_each(survive);
}

fn survive(case: &Case) {
    let place = Place::new();
    let options = Named::<Starts>::options().directory(place.path());
    let starts = [(); 2].map(|()| options.open_or_create(NAME, [(); MORE as usize]).unwrap());
    let mut child = case.start(&place);
    let mut next = 0;
    loop {
        let word = child.hear_if_alive();
        let acts = race(&starts, next, || {
            if word.is_some() {
                while place.describe(NAME).participants.iter().map(|it| it.waiting).sum::<u32>() < 2
                {
                    thread::yield_now();
                }
                child.say("go");
            }
        });
        next += 1;
        if case.point == BEGUN {
            assert_eq!((word, acts), (None, [0, 1]), "one who is told");
            break;
        }
        assert_eq!(acts, [0, 0], "it was done");
        match child.hear_if_alive() {
            None => break,
            Some(_) => child.say("go"),
        }
    }
    assert!(child.was_killed());
    for start in next..MORE as usize {
        assert_eq!(race(&starts, start, || {}), [1, 0]);
    }
}

/// Has two do it. How often it was done as for the first time, and how often again.
fn race(starts: &[Named<Starts>; 2], number: usize, meanwhile: impl FnOnce()) -> [u32; 2] {
    let acts = [const { AtomicU32::new(0) }; 2];
    thread::scope(|scope| {
        for starts in starts {
            let acts = &acts;
            scope.spawn(move || {
                // ORDERING: Relaxed; the end of the thread orders it.
                let act =
                    |again: bool| _ = acts[usize::from(again)].fetch_add(1, Ordering::Relaxed);
                starts[number].call_once_force(act).unwrap();
                assert!(starts[number].is_completed());
            });
        }
        meanwhile();
    });
    acts.map(AtomicU32::into_inner)
}
