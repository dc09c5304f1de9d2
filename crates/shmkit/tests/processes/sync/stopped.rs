//! A stopped process keeps what it holds: the others never take it for dead.

use std::time::{Duration, Instant};

use shmkit::ErrorKind;
use shmkit::sync::{Event, Reset};

use super::fixture::{Fixture, NAME, Primitives, run};
use crate::children::{Child, Link};
use crate::test_dir::{TestDir, kind, open};
use crate::times::TIMEOUT;

const EVENT: &str = "event";

/// A hundred times as long as a slow check takes to find a death.
const LONG: Duration = Duration::from_secs(5);

/// Runs `attempts`, which get the holder's name in messages, while the child is stopped.
fn while_stopped(fixture: &Fixture, child: &mut Child, attempts: impl FnOnce(&str)) {
    child.stop();
    attempts(&format!("process {} (", child.id()));
    fixture.assert_all_alive();
    child.resume();
}

#[track_caller]
fn assert_timed_out<T, E: Into<shmkit::Error>>(answer: Result<T, E>, holder: &str) {
    let error = answer.err().expect("the holder lives").into();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(error.to_string().contains(holder), "{error}");
}

#[test]
fn a_stopped_holder_keeps_its_mutex() {
    let fixture = Fixture::new(0, 1);
    let mut child = fixture.start_actor();
    run(&mut child, "lock");
    while_stopped(&fixture, &mut child, |holder| {
        assert_timed_out(fixture.mutex().lock_timeout(LONG), holder);
        assert!(fixture.mutex().try_lock().unwrap().is_none());
    });
    assert_eq!(child.ask("add"), "1");
    run(&mut child, "drop");
    assert_eq!(*fixture.mutex().lock().expect("no owner death"), 1);
}

#[test]
fn a_stopped_holder_keeps_its_reentrant_mutex() {
    let fixture = Fixture::new(0, 1);
    let mut child = fixture.start_actor();
    run(&mut child, "lock_reentrant, lock_reentrant");
    while_stopped(&fixture, &mut child, |holder| {
        assert_timed_out(fixture.reentrant().lock_timeout(LONG), holder);
        assert!(fixture.reentrant().try_lock().unwrap().is_none());
    });
    run(&mut child, "drop, drop");
    drop(fixture.reentrant().lock().expect("no owner death"));
}

#[test]
fn a_stopped_writer_keeps_its_lock() {
    let fixture = Fixture::new(0, 1);
    let mut child = fixture.start_actor();
    run(&mut child, "write");
    while_stopped(&fixture, &mut child, |holder| {
        assert_timed_out(fixture.rwlock().read_timeout(LONG), holder);
        assert_timed_out(fixture.rwlock().write_timeout(LONG / 50), holder);
        assert_timed_out(fixture.rwlock().upgradable_read_timeout(LONG / 50), holder);
        assert!(fixture.rwlock().try_read().unwrap().is_none());
        assert!(fixture.rwlock().try_write().unwrap().is_none());
    });
    assert_eq!(child.ask("add"), "1");
    run(&mut child, "drop");
    assert_eq!(*fixture.rwlock().write().expect("no owner death"), 1);
}

#[test]
fn a_stopped_reader_keeps_writers_out() {
    let fixture = Fixture::new(0, 1);
    let mut child = fixture.start_actor();
    run(&mut child, "read");
    while_stopped(&fixture, &mut child, |holder| {
        assert_timed_out(fixture.rwlock().write_timeout(LONG), holder);
        assert!(fixture.rwlock().try_write().unwrap().is_none());
        assert!(fixture.rwlock().try_read().unwrap().is_some(), "readers share the lock");
        let upgradable = fixture.rwlock().upgradable_read().unwrap();
        let not = upgradable.upgrade_timeout(LONG / 50).unwrap_err();
        assert_timed_out(Err::<(), _>(not.error.unwrap()), holder);
    });
    run(&mut child, "drop");
    drop(fixture.rwlock().write().unwrap());
}

#[test]
fn a_stopped_holder_keeps_its_permit() {
    let fixture = Fixture::new(1, 1);
    let mut child = fixture.start_actor();
    run(&mut child, "acquire");
    while_stopped(&fixture, &mut child, |_| {
        assert_eq!(kind(fixture.semaphore().acquire_timeout(LONG)), ErrorKind::TimedOut);
        assert!(fixture.semaphore().try_acquire().unwrap().is_none());
        assert!(!fixture.semaphore().try_consume().unwrap());
        let other = fixture.dir.primitive::<Primitives>().open(NAME).unwrap();
        assert_eq!(fixture.semaphore().available(), 0, "after another handle was opened");
        drop(other);
    });
    run(&mut child, "drop");
    drop(fixture.semaphore().acquire().unwrap());
}

#[test]
fn a_call_once_of_a_stopped_process_is_not_repeated() {
    let fixture = Fixture::new(0, 1);
    let mut child = fixture.start_actor();
    assert_eq!(child.ask("call_once"), "running");
    let never = || unreachable!("the other process makes the call");
    while_stopped(&fixture, &mut child, |holder| {
        assert_timed_out(fixture.once().call_once_timeout(never, LONG), holder);
        assert!(!fixture.once().is_completed());
    });
    assert_eq!(child.ask("complete"), "done");
    fixture.once().call_once(never).unwrap();
}

#[test]
fn a_stopped_party_is_waited_for() {
    let fixture = Fixture::new(0, 2);
    let mut child = fixture.start_actor();
    run(&mut child, "join_barrier, join_latch");
    let mut party = fixture.barrier().join().unwrap();
    fixture.latch().join().unwrap().count_down().unwrap();
    while_stopped(&fixture, &mut child, |_| {
        assert_eq!(kind(party.wait_timeout(LONG)), ErrorKind::TimedOut, "no PeerDied");
        assert_eq!(kind(fixture.latch().wait_timeout(LONG / 50)), ErrorKind::TimedOut);
        assert_eq!(kind(fixture.barrier().join()), ErrorKind::Full);
    });
    run(&mut child, "count_down");
    child.send("wait_barrier");
    party.wait().unwrap();
    assert_eq!(child.receive(), "done");
    fixture.latch().wait().unwrap();
}

#[test]
fn a_party_stopped_after_arriving_counts_for_that_round_only() {
    let fixture = Fixture::new(0, 2);
    let mut child = fixture.start_actor_to_stop_at("barrier: arrived, not yet seen");
    let mut party = fixture.barrier().join().unwrap();
    run(&mut child, "join_barrier");
    child.send("wait_barrier");
    child.wait_for_stop();
    party.wait().unwrap();
    assert_eq!(kind(party.wait_timeout(LONG / 50)), ErrorKind::TimedOut, "the next round");
    child.resume();
    assert_eq!(child.receive(), "done", "the child waited for one round only");
    run(&mut child, "wait_barrier");
    party.wait().unwrap();
}

#[test]
fn a_process_stopped_while_changing_a_semaphore_blocks_no_other() {
    let fixture = Fixture::new(3, 1);
    for (point, before, command) in [
        ("semaphore: permit taken, not recorded", "", "acquire"),
        ("semaphore: permit given back, not recorded", "acquire", "drop"),
        ("semaphore: permit given back, not recorded", "", "post"),
    ] {
        let initial = fixture.semaphore().available();
        let mut child = fixture.start_actor_to_stop_at(point);
        if !before.is_empty() {
            run(&mut child, before);
        }
        child.send(command);
        child.wait_for_stop();
        let left = initial - u64::from(command == "acquire") + u64::from(command == "post");
        for _ in 0..100 {
            assert_eq!(fixture.semaphore().available(), left);
            let permits: Vec<_> =
                (0..left).map(|_| fixture.semaphore().try_acquire().unwrap().unwrap()).collect();
            assert!(fixture.semaphore().try_acquire().unwrap().is_none());
            drop(permits);
            fixture.semaphore().post(1).unwrap();
            fixture.semaphore().consume().unwrap();
        }
        child.resume();
        assert_eq!(child.receive(), "done");
        assert_eq!(fixture.semaphore().available(), left);
        if command == "acquire" {
            // Released here and not by the child's end, so that the next child reaches its point
            // only in its command.
            run(&mut child, "drop");
        }
    }
}

/// Waits for the event once.
pub(crate) fn event_waiter(link: &mut Link) {
    let event = open::<Event>(EVENT);
    event.wait().unwrap();
    link.send("set");
    link.receive();
}

#[test]
fn a_stopped_waiter_sees_an_event_that_was_set_and_reset() {
    let dir = TestDir::new();
    let event = dir.primitive::<Event>().create(EVENT, Reset::Manual).unwrap();
    let mut child = Child::start(&dir, "event waiter", "");
    let start = Instant::now();
    let waits = || dir.describe(EVENT).participants.iter().any(|it| it.waiting > 0);
    dir.wait_for_waiters(EVENT, 1);
    // Repeated, because the first time the child may be stopped before it waits.
    while waits() {
        assert!(start.elapsed() < TIMEOUT, "the waiter never notices that the event was set");
        child.stop();
        event.set().unwrap();
        event.reset().unwrap();
        child.resume();
        std::thread::yield_now();
    }
    assert_eq!(child.receive(), "set");
}

#[test]
fn a_stopped_waiter_keeps_its_notification() {
    let fixture = Fixture::new(0, 1);
    let mut child = fixture.start_actor();
    run(&mut child, "lock");
    child.send("wait_condvar");
    fixture.wait_for_waiters(1);
    child.stop();
    fixture.condvar().notify_one().unwrap();
    // A waiter that looks for notifications of dead processes does not take this one.
    let guard = fixture.mutex().lock().unwrap();
    let (guard, result) = fixture.condvar().wait_timeout(guard, LONG / 20).unwrap();
    assert!(result.timed_out());
    drop(guard);
    fixture.assert_all_alive();
    child.resume();
    assert_eq!(child.receive(), "done");
}
