//! What only Linux announces, or has.

use std::fs;

use rustix::process::Signal;

use super::{WAIT, Waiting, assert_told, wait_until_armed};
use crate::namespaces::start_in_namespace;
use crate::sync::fixture::{Fixture, run};

#[test]
fn the_removal_of_the_file_by_hand_is_announced_to_each_kind_of_waiter() {
    let mut all = Vec::new();
    for (holds, before, wait, waiters) in [
        ("lock", "", "lock", 2),
        ("write", "", "read", 2),
        ("read", "", "write", 2),
        ("acquire", "", "acquire", 2),
        ("", "lock", "wait_condvar", 2),
        ("", "", "wait_event", 2),
        ("", "", "wait_latch", 2),
        ("", "join_barrier", "wait_barrier", 1),
    ] {
        all.push(std::thread::spawn(move || {
            let mut waiting = Waiting::begin(holds, before, wait, waiters);
            let [file] = &waiting.fixture.dir.files()[..] else { panic!("one object") };
            fs::remove_file(waiting.fixture.dir.path().join(file)).unwrap();
            (0..waiters).for_each(|waiter| waiting.assert_told(waiter, "Closed"));
        }));
    }
    all.into_iter().for_each(|case| case.join().unwrap());
}

#[test]
fn a_death_in_another_pid_namespace_is_announced() {
    let fixture = Fixture::new(0, 2);
    let Some((mut holder, outer_pid)) = start_in_namespace(&fixture.dir, "actor") else { return };
    let (mut waiter, waiter_pid) = start_in_namespace(&fixture.dir, "actor").unwrap();
    run(&mut holder, "lock");
    waiter.send("lock");
    wait_until_armed(waiter_pid.as_raw_pid().unsigned_abs());
    std::thread::sleep(WAIT);
    rustix::process::kill_process(outer_pid, Signal::KILL).unwrap();
    assert_told(&mut waiter, "OwnerDied", "another namespace");
}
