//! Waiting for another process: for its locks, permits, notifications and parties.

use std::ops::DerefMut;
use std::time::{Duration, Instant};

use shmkit::ErrorKind;
use shmkit::sync::{Condvar, Guard};

use super::fixture::{Fixture, NAME, Primitives, run};
use crate::children::{Child, Link};
use crate::test_dir::{kind, open};
use crate::times::TIMEOUT;

const HELD_FOR: Duration = Duration::from_secs(2);

#[test]
fn each_way_to_acquire_waits_for_a_lock_held_for_two_seconds() {
    let fixture = Fixture::new(1, 1);
    for (acquire, has_value) in
        [("lock", true), ("lock_reentrant", true), ("write", true), ("acquire", false)]
    {
        let [mut holder, mut waiter, mut late, mut fast] = [(); 4].map(|()| fixture.start_actor());
        run(&mut holder, acquire);
        waiter.send(acquire);
        // Its timeout also measures how long the holder holds the lock.
        late.send(format!("{acquire} {}", HELD_FOR.as_millis()));
        fixture.wait_for_waiters(2);
        assert_eq!(fast.ask(format!("try_{acquire}")), "refused");
        let answer = late.receive();
        assert!(answer.starts_with("TimedOut: "), "{answer}");
        assert_eq!(fast.ask(format!("try_{acquire}")), "refused");
        if has_value {
            holder.ask("add");
        }
        run(&mut holder, "drop");
        assert_eq!(waiter.receive(), "done");
        assert!(!has_value || waiter.ask("add") == "2");
        late.send(format!("{acquire} {}", TIMEOUT.as_millis()));
        fixture.wait_for_waiters(1);
        run(&mut waiter, "drop");
        assert_eq!(late.receive(), "done");
        run(&mut late, "drop");
        run(&mut fast, &format!("try_{acquire}"));
        assert!(!has_value || fast.ask("add") == "3");
        run(&mut fast, "drop");
        *fixture.mutex().lock().unwrap() = 0;
        *fixture.rwlock().write().unwrap() = 0;
    }
}

#[test]
fn a_semaphore_of_one_excludes_and_a_semaphore_of_a_hundred_counts() {
    let fixture = Fixture::new(1, 1);
    let [mut first, mut second] = [fixture.start_actor(), fixture.start_actor()];
    run(&mut first, "acquire");
    assert_eq!(second.ask("try_acquire"), "refused");
    second.send("acquire");
    fixture.wait_for_waiters(1);
    run(&mut first, "drop");
    assert_eq!(second.receive(), "done");
    assert_eq!(first.ask("try_acquire"), "refused");
    run(&mut second, "drop");

    let fixture = Fixture::new(100, 1);
    let mut children = [(); 4].map(|()| fixture.start_actor());
    for _ in 0..25 {
        for (child, acquire) in
            children.iter_mut().zip(["acquire", "try_acquire", "acquire 60000", "try_acquire"])
        {
            run(child, acquire);
        }
    }
    let semaphore = fixture.semaphore();
    assert_eq!(semaphore.available(), 0);
    assert_eq!(kind(semaphore.acquire_timeout(HELD_FOR / 20)), ErrorKind::TimedOut);
    run(&mut children[0], "drop, forget");
    assert_eq!(semaphore.available(), 1, "one permit was released, one consumed");
    run(&mut children[1], "consume");
    assert_eq!(children[2].ask("try_consume"), "refused");
    run(&mut children[3], "post, consume 60000");
    for child in &mut children {
        child.kill();
    }
    let permits: Vec<_> = (0..98).map(|_| semaphore.acquire().unwrap()).collect();
    assert_eq!(semaphore.available(), 0);
    drop(permits);
}

#[test]
fn notify_one_wakes_one_process_and_notify_all_the_others() {
    let fixture = Fixture::new(0, 1);
    let mut children = [(); 3].map(|()| fixture.start_actor());
    for round in 1..=20 {
        for child in &mut children {
            run(child, "lock");
            child.send("wait_condvar");
            child.send("drop");
        }
        fixture.wait_for_waiters(3);
        // While this process holds the lock, the notified one waits for the lock.
        let guard = fixture.mutex().lock().unwrap();
        fixture.condvar().notify_one().unwrap();
        drop(guard);
        fixture.wait_for_waiters(2);
        fixture.condvar().notify_all().unwrap();
        for child in &mut children {
            let answers = (child.receive(), child.receive());
            assert_eq!(answers, ("done".into(), "done".into()), "{round}");
        }
    }
}

#[test]
fn each_set_of_an_automatic_event_releases_one_process() {
    let fixture = Fixture::new(0, 1);
    let mut children = [(); 3].map(|()| fixture.start_actor());
    for wait in ["wait_event", "wait_event 60000"] {
        for child in &mut children {
            child.send(wait);
        }
        for left in [2, 1, 0] {
            fixture.wait_for_waiters(left + 1);
            fixture.event().set().unwrap();
            fixture.wait_for_waiters(left);
            assert!(!fixture.event().is_set());
        }
        for child in &mut children {
            assert_eq!(child.receive(), "done");
            assert_eq!(child.ask("try_wait_event"), "refused");
        }
    }
    run(&mut children[0], "set");
    assert!(fixture.event().try_wait().unwrap());
}

#[test]
fn processes_meet_at_a_barrier_repeatedly_and_at_a_latch_once() {
    let fixture = Fixture::new(0, 3);
    let mut children = [fixture.start_actor(), fixture.start_actor()];
    let mut party = fixture.barrier().join().unwrap();
    for child in &mut children {
        run(child, "join_barrier");
    }
    for round in 0..200 {
        for child in &mut children {
            child.send(["wait_barrier", "wait_barrier 60000"][round % 2]);
        }
        party.wait_timeout(TIMEOUT).unwrap();
        for child in &mut children {
            assert_eq!(child.receive(), "done");
        }
    }
    for child in &mut children {
        run(child, "join_latch, count_down");
    }
    assert!(!fixture.latch().try_wait().unwrap());
    children[0].send("wait_latch");
    fixture.wait_for_waiters(1);
    fixture.latch().join().unwrap().count_down().unwrap();
    assert_eq!(children[0].receive(), "done");
    run(&mut children[1], "try_wait_latch, wait_latch 0");
}

/// How many methods of a `Condvar` wait.
const METHODS: u64 = 5;
/// How many turns each side takes with each method.
const TURNS: u64 = 400;

/// Waits by the method that belongs to the turn until the value is the number of the turn.
fn wait_for_turn<G>(condvar: &Condvar, mut guard: G, turn: u64) -> G
where
    G: Guard + DerefMut<Target = u64>,
    for<'v> G: Guard<Value<'v> = &'v mut u64>,
{
    match turn / 2 % METHODS {
        0 => {
            while *guard != turn {
                guard = condvar.wait(guard).unwrap();
            }
            guard
        }
        1 => condvar.wait_while(guard, |value| *value != turn).unwrap(),
        2 => {
            while *guard != turn {
                let result;
                (guard, result) = condvar.wait_timeout(guard, TIMEOUT).unwrap();
                assert!(!result.timed_out());
            }
            guard
        }
        3 => {
            while *guard != turn {
                let result;
                (guard, result) = condvar.wait_until(guard, Instant::now() + TIMEOUT).unwrap();
                assert!(!result.timed_out());
            }
            guard
        }
        _ => {
            let (guard, result) =
                condvar.wait_timeout_while(guard, TIMEOUT, |value| *value != turn).unwrap();
            assert!(!result.timed_out());
            guard
        }
    }
}

/// Takes the turns of one side, first with the mutex and then with the `RwLock`.
fn take_turns(primitives: &Primitives, side: u64) {
    let (mutex, rwlock, .., (condvar, _, _)) = primitives;
    for turn in 0..METHODS * TURNS {
        let mut value = wait_for_turn(condvar, mutex.lock().unwrap(), 2 * turn + side);
        *value += 1;
        condvar.notify_one().unwrap();
    }
    for turn in 0..METHODS * TURNS {
        let mut value = wait_for_turn(condvar, rwlock.write().unwrap(), 2 * turn + side);
        *value += 1;
        condvar.notify_one().unwrap();
    }
}

/// The second of the two sides.
pub(crate) fn player(link: &mut Link) {
    take_turns(&open::<Primitives>(NAME), 1);
    link.send("done");
    link.receive();
}

#[test]
fn two_processes_alternate_by_every_method_of_a_condvar() {
    let fixture = Fixture::new(0, 1);
    let mut child = Child::start(&fixture.dir, "player", "");
    take_turns(&fixture.primitives, 0);
    assert_eq!(child.receive(), "done");
    let last = 2 * METHODS * TURNS;
    let values = (*fixture.mutex().lock().unwrap(), *fixture.rwlock().read().unwrap());
    assert_eq!(values, (last, last));
}
