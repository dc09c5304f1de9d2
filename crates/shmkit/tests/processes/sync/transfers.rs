//! How an `RwLock` of one process goes from one way to have it to another, as another sees it.

use super::stage::{Stage, told};
use crate::children::Child;

/// What another process can have beside it: to read, to read and maybe write, to write.
const BESIDE_READ: [bool; 3] = [true, true, false];
const BESIDE_UPGRADABLE: [bool; 3] = [true, false, false];
const BESIDE_WRITE: [bool; 3] = [false, false, false];
const BESIDE_NOTHING: [bool; 3] = [true, true, true];

#[track_caller]
fn can_have(stage: &Stage, expected: [bool; 3]) {
    let lock = stage.rwlock();
    let read = lock.try_read().unwrap().is_some();
    let upgradable = lock.try_upgradable_read().unwrap().is_some();
    assert_eq!([read, upgradable, lock.try_write().unwrap().is_some()], expected);
}

#[test]
fn each_way_to_have_it_becomes_each_other_that_it_may() {
    let stage = Stage::new(0, 1);
    let mut child = stage.actor();
    let from_to = [
        // Where it begins, what it does, and what others can have beside it then.
        ("read", "try upgrade", BESIDE_WRITE),
        ("read", "to keep", BESIDE_UPGRADABLE),
        ("keep", "upgrade", BESIDE_WRITE),
        ("keep", "try upgrade", BESIDE_WRITE),
        ("keep", "upgrade 60000", BESIDE_WRITE),
        ("keep", "to read", BESIDE_READ),
        ("write", "to read", BESIDE_READ),
        ("write", "to keep", BESIDE_UPGRADABLE),
    ];
    for (begin, transfer, beside) in from_to {
        told(&mut child, begin);
        let before = match begin {
            "read" => BESIDE_READ,
            "keep" => BESIDE_UPGRADABLE,
            _ => BESIDE_WRITE,
        };
        can_have(&stage, before);
        told(&mut child, transfer);
        can_have(&stage, beside);
        told(&mut child, "drop");
        can_have(&stage, BESIDE_NOTHING);
    }
}

#[test]
fn a_transfer_that_another_process_stands_in_the_way_of_is_refused_and_changes_nothing() {
    let stage = Stage::new(0, 1);
    let mut child = stage.actor();
    told(&mut child, "read");
    let reader = stage.rwlock().read().unwrap();
    assert_eq!(child.ask("try upgrade"), "refused", "another reads");
    drop(reader);
    can_have(&stage, BESIDE_READ);
    let upgradable = stage.rwlock().upgradable_read().unwrap();
    assert_eq!(child.ask("to keep"), "refused", "another may upgrade");
    assert_eq!(child.ask("try upgrade"), "refused");
    drop(upgradable);
    told(&mut child, "to keep");
    let reader = stage.rwlock().read().unwrap();
    assert_eq!(child.ask("try upgrade"), "refused");
    let answer = child.ask("upgrade 100");
    let us = format!("process {} (", std::process::id());
    assert!(answer.starts_with("TimedOut: ") && answer.contains(&us), "{answer}");
    drop(reader);
    can_have(&stage, BESIDE_UPGRADABLE);
    told(&mut child, "upgrade, drop");
    can_have(&stage, BESIDE_NOTHING);
}

/// Both processes step the value, each step from what it read before.
fn step_by_upgrading(stage: &Stage, child: &mut Child, number: u64) {
    let reader = stage.rwlock().read().unwrap();
    told(child, "keep");
    child.say("upgrade");
    stage.until_threads_wait(1);
    assert_eq!(*reader, number);
    assert!(stage.rwlock().try_read().unwrap().is_none(), "one who waits to write comes first");
    drop(reader);
    assert_eq!(child.hear(), "done");
    assert_eq!(child.ask("add"), (number + 1).to_string());
    told(child, "to keep");
    assert_eq!(*stage.rwlock().read().unwrap(), number + 1);
    told(child, "to read");
    let upgradable = stage.rwlock().upgradable_read().unwrap();
    std::thread::scope(|scope| {
        let upgrading = scope.spawn(|| upgradable.upgrade().map(|mut guard| *guard += 1));
        stage.until_threads_wait(1);
        told(child, "drop");
        upgrading.join().unwrap().unwrap();
    });
}

#[test]
fn upgrading_waits_for_the_other_process_to_leave() {
    let stage = Stage::new(0, 1);
    let mut child = stage.actor();
    for round in 0..50 {
        step_by_upgrading(&stage, &mut child, 2 * round);
    }
    assert_eq!(*stage.rwlock().read().unwrap(), 100);
}

#[test]
fn those_who_wait_to_read_go_on_when_a_writer_of_another_process_comes_down() {
    let stage = Stage::new(0, 1);
    let mut child = stage.actor();
    for way in ["to read", "to keep"] {
        told(&mut child, "write");
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| drop(stage.rwlock().read().unwrap()));
            stage.until_threads_wait(1);
            told(&mut child, way);
            reading.join().unwrap();
        });
        told(&mut child, "drop");
    }
}
