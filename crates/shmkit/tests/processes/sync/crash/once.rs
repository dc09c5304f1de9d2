//! A call that a process began before it died is repeated, with notice; one that it completed is
//! not.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use shmkit::Object;
use shmkit::sync::Once;

use super::{Case, NAME, Operation, ROUNDS_AFTER, WAITERS_NOT_WOKEN, case};
use crate::test_dir::{TestDir, open};

type Onces = [Once; ROUNDS_AFTER as usize];

const BEGUN: &str = "once: begun";

pub(super) const CASES: &[Case] =
    &[case("call once", BEGUN, 1), case("call once", WAITERS_NOT_WOKEN, 0)];

/// Completes each call once the others wait for it.
pub(super) const OPERATIONS: &[Operation] = &[("call once", |link| {
    let onces = open::<Onces>(NAME);
    for once in onces.iter() {
        let call = |again: bool| {
            assert!(!again);
            link.send("running");
            link.receive();
        };
        once.call_once_force(call).unwrap();
        link.send("completed");
        link.receive();
    }
})];

#[test]
fn a_call_begun_by_a_dead_process_is_repeated_with_notice() {
    CASES.iter().for_each(check);
}

fn check(case: &Case) {
    let dir = TestDir::new();
    let handles = dir.handles::<Onces, 2>(NAME, [(); ROUNDS_AFTER as usize]);
    let mut child = case.start(&dir);
    let mut next = 0;
    loop {
        let running = child.receive_if_alive();
        let calls = race(&handles, next, || {
            if running.is_some() {
                dir.wait_for_waiters(NAME, 2);
                child.send("complete");
            }
        });
        next += 1;
        if case.point == BEGUN {
            assert_eq!((running, calls), (None, [0, 1]), "one call, with notice");
            break;
        }
        assert_eq!(calls, [0, 0], "the child completed the call");
        match child.receive_if_alive() {
            None => break,
            Some(_) => child.send("call the next"),
        }
    }
    assert!(child.was_killed());
    for number in next..ROUNDS_AFTER as usize {
        assert_eq!(race(&handles, number, || {}), [1, 0]);
    }
}

/// Lets two threads make a call. Returns how many calls ran without and with notice of a death.
fn race(handles: &[Object<Onces>; 2], number: usize, meanwhile: impl FnOnce()) -> [u32; 2] {
    let calls = [const { AtomicU32::new(0) }; 2];
    thread::scope(|scope| {
        for onces in handles {
            let calls = &calls;
            scope.spawn(move || {
                // ORDERING: Relaxed; the end of the thread orders it.
                let call =
                    |again: bool| _ = calls[usize::from(again)].fetch_add(1, Ordering::Relaxed);
                onces[number].call_once_force(call).unwrap();
                assert!(onces[number].is_completed());
            });
        }
        meanwhile();
    });
    calls.map(AtomicU32::into_inner)
}
