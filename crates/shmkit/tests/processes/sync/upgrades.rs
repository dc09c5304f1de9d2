//! How the guard of an `RwLock` in one process is converted, as another process sees it.

use super::fixture::{Fixture, run};
use crate::children::Child;

/// Which guards another process can acquire at the same time: read, upgradable read, write.
const BESIDE_READ: [bool; 3] = [true, true, false];
const BESIDE_UPGRADABLE: [bool; 3] = [true, false, false];
const BESIDE_WRITE: [bool; 3] = [false, false, false];
const BESIDE_NOTHING: [bool; 3] = [true, true, true];

#[track_caller]
fn assert_available(fixture: &Fixture, expected: [bool; 3]) {
    let lock = fixture.rwlock();
    let read = lock.try_read().unwrap().is_some();
    let upgradable = lock.try_upgradable_read().unwrap().is_some();
    assert_eq!([read, upgradable, lock.try_write().unwrap().is_some()], expected);
}

#[test]
fn each_conversion_of_a_guard_changes_what_others_can_acquire() {
    let fixture = Fixture::new(0, 1);
    let mut child = fixture.start_actor();
    let conversions = [
        ("read", "try_upgrade", BESIDE_WRITE),
        ("read", "try_into_upgradable", BESIDE_UPGRADABLE),
        ("upgradable_read", "upgrade", BESIDE_WRITE),
        ("upgradable_read", "try_upgrade", BESIDE_WRITE),
        ("upgradable_read", "upgrade 60000", BESIDE_WRITE),
        ("upgradable_read", "downgrade", BESIDE_READ),
        ("write", "downgrade", BESIDE_READ),
        ("write", "downgrade_to_upgradable", BESIDE_UPGRADABLE),
    ];
    for (acquire, convert, beside) in conversions {
        run(&mut child, acquire);
        let before = match acquire {
            "read" => BESIDE_READ,
            "upgradable_read" => BESIDE_UPGRADABLE,
            _ => BESIDE_WRITE,
        };
        assert_available(&fixture, before);
        run(&mut child, convert);
        assert_available(&fixture, beside);
        run(&mut child, "drop");
        assert_available(&fixture, BESIDE_NOTHING);
    }
}

#[test]
fn a_conversion_that_another_process_prevents_is_refused_and_changes_nothing() {
    let fixture = Fixture::new(0, 1);
    let mut child = fixture.start_actor();
    run(&mut child, "read");
    let reader = fixture.rwlock().read().unwrap();
    assert_eq!(child.ask("try_upgrade"), "refused", "this process reads");
    drop(reader);
    assert_available(&fixture, BESIDE_READ);
    let upgradable = fixture.rwlock().upgradable_read().unwrap();
    assert_eq!(child.ask("try_into_upgradable"), "refused", "this process may upgrade");
    assert_eq!(child.ask("try_upgrade"), "refused");
    drop(upgradable);
    run(&mut child, "try_into_upgradable");
    let reader = fixture.rwlock().read().unwrap();
    assert_eq!(child.ask("try_upgrade"), "refused");
    let answer = child.ask("upgrade 100");
    let this_process = format!("process {} (", std::process::id());
    assert!(answer.starts_with("TimedOut: ") && answer.contains(&this_process), "{answer}");
    drop(reader);
    assert_available(&fixture, BESIDE_UPGRADABLE);
    run(&mut child, "upgrade, drop");
    assert_available(&fixture, BESIDE_NOTHING);
}

/// Each process adds 1 to the value by upgrading from a read, while the other reads.
fn increment_by_upgrading(fixture: &Fixture, child: &mut Child, value: u64) {
    let reader = fixture.rwlock().read().unwrap();
    run(child, "upgradable_read");
    child.send("upgrade");
    fixture.wait_for_waiters(1);
    assert_eq!(*reader, value);
    let second = fixture.rwlock().try_read().unwrap();
    assert!(second.is_none(), "a waiting upgrader keeps new readers out");
    drop(reader);
    assert_eq!(child.receive(), "done");
    assert_eq!(child.ask("add"), (value + 1).to_string());
    run(child, "downgrade_to_upgradable");
    assert_eq!(*fixture.rwlock().read().unwrap(), value + 1);
    run(child, "downgrade");
    let upgradable = fixture.rwlock().upgradable_read().unwrap();
    std::thread::scope(|scope| {
        let upgrading = scope.spawn(|| upgradable.upgrade().map(|mut guard| *guard += 1));
        fixture.wait_for_waiters(1);
        run(child, "drop");
        upgrading.join().unwrap().unwrap();
    });
}

#[test]
fn an_upgrade_waits_for_the_readers_of_another_process() {
    let fixture = Fixture::new(0, 1);
    let mut child = fixture.start_actor();
    for round in 0..50 {
        increment_by_upgrading(&fixture, &mut child, 2 * round);
    }
    assert_eq!(*fixture.rwlock().read().unwrap(), 100);
}

#[test]
fn waiting_readers_continue_when_a_writer_of_another_process_downgrades() {
    let fixture = Fixture::new(0, 1);
    let mut child = fixture.start_actor();
    for downgrade in ["downgrade", "downgrade_to_upgradable"] {
        run(&mut child, "write");
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| drop(fixture.rwlock().read().unwrap()));
            fixture.wait_for_waiters(1);
            run(&mut child, downgrade);
            reading.join().unwrap();
        });
        run(&mut child, "drop");
    }
}
