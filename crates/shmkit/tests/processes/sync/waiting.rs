//! Waiting for another process: locks that it holds, permits, notifications.

use std::ops::DerefMut;
use std::time::{Duration, Instant};

use shmkit::ErrorKind;
use shmkit::sync::named::Named;
use shmkit::sync::{Condvar, Guard};

use super::stage::{NAME, Plant, SOON, Stage, told};
use crate::children::Link;
use crate::place::kind;

const HELD_FOR: Duration = Duration::from_secs(2);

#[test]
fn a_lock_that_is_held_for_two_seconds_is_waited_for_in_each_way() {
    let stage = Stage::new(1, 1);
    for (take, step) in [("lock", true), ("nest", true), ("write", true), ("acquire", false)] {
        let [mut holder, mut waiter, mut late, mut fast] = [(); 4].map(|()| stage.actor());
        told(&mut holder, take);
        waiter.say(take);
        // Its end is when the holder has held it for so long.
        late.say(format!("{take} {}", HELD_FOR.as_millis()));
        stage.until_threads_wait(2);
        assert_eq!(fast.ask(format!("try {take}")), "refused");
        let answer = late.hear();
        assert!(answer.starts_with("TimedOut: "), "{answer}");
        assert_eq!(fast.ask(format!("try {take}")), "refused");
        if step {
            holder.ask("add");
        }
        told(&mut holder, "drop");
        assert_eq!(waiter.hear(), "done");
        assert!(!step || waiter.ask("add") == "2");
        late.say(format!("{take} {}", SOON.as_millis()));
        stage.until_threads_wait(1);
        told(&mut waiter, "drop");
        assert_eq!(late.hear(), "done");
        told(&mut late, "drop");
        told(&mut fast, &format!("try {take}"));
        assert!(!step || fast.ask("add") == "3");
        told(&mut fast, "drop");
        *stage.mutex().lock().unwrap() = 0;
        *stage.rwlock().write().unwrap() = 0;
    }
}

#[test]
fn one_permit_is_a_mutex_of_processes_and_a_hundred_are_a_resource() {
    let one = Stage::new(1, 1);
    let [mut first, mut second] = [one.actor(), one.actor()];
    told(&mut first, "acquire");
    assert_eq!(second.ask("try acquire"), "refused");
    second.say("acquire");
    one.until_threads_wait(1);
    told(&mut first, "drop");
    assert_eq!(second.hear(), "done");
    assert_eq!(first.ask("try acquire"), "refused");
    told(&mut second, "drop");

    let hundred = Stage::new(100, 1);
    let mut children = [(); 4].map(|()| hundred.actor());
    for _ in 0..25 {
        for (child, take) in
            children.iter_mut().zip(["acquire", "try acquire", "acquire 60000", "try acquire"])
        {
            told(child, take);
        }
    }
    assert_eq!(hundred.semaphore().available(), 0);
    assert_eq!(kind(hundred.semaphore().acquire_timeout(HELD_FOR / 20)), ErrorKind::TimedOut);
    told(&mut children[0], "drop, forget");
    assert_eq!(hundred.semaphore().available(), 1, "one came back, one was consumed");
    told(&mut children[1], "consume");
    assert_eq!(children[2].ask("try consume"), "refused");
    told(&mut children[3], "post, consume 60000");
    for child in &mut children {
        child.kill();
    }
    let back = hundred.semaphore();
    let permits: Vec<_> = (0..98).map(|_| back.acquire().unwrap()).collect();
    assert_eq!(back.available(), 0);
    drop(permits);
}

#[test]
fn one_of_three_processes_is_notified_and_then_all() {
    let stage = Stage::new(0, 1);
    let mut children = [(); 3].map(|()| stage.actor());
    for round in 1..=20 {
        for child in &mut children {
            told(child, "lock");
            child.say("wait");
            child.say("drop");
        }
        stage.until_threads_wait(3);
        // Who was notified goes on to wait for the lock.
        let guard = stage.mutex().lock().unwrap();
        stage.condvar().notify_one().unwrap();
        drop(guard);
        stage.until_threads_wait(2);
        stage.condvar().notify_all().unwrap();
        for child in &mut children {
            assert_eq!((child.hear(), child.hear()), ("done".into(), "done".into()), "{round}");
        }
    }
}

#[test]
fn each_set_of_an_event_lets_one_process_go_on() {
    let stage = Stage::new(0, 1);
    let mut children = [(); 3].map(|()| stage.actor());
    for wait in ["await", "await 60000"] {
        for child in &mut children {
            child.say(wait);
        }
        for left in [2, 1, 0] {
            stage.until_threads_wait(left + 1);
            stage.event().set().unwrap();
            stage.until_threads_wait(left);
            assert!(!stage.event().is_set());
        }
        for child in &mut children {
            assert_eq!(child.hear(), "done");
            assert_eq!(child.ask("try await"), "refused");
        }
    }
    told(&mut children[0], "set");
    assert!(stage.event().try_wait().unwrap());
}

#[test]
fn processes_meet_again_and_again() {
    let stage = Stage::new(0, 3);
    let mut children = [stage.actor(), stage.actor()];
    let mut party = stage.barrier().join().unwrap();
    for child in &mut children {
        told(child, "join");
    }
    for round in 0..200 {
        for child in &mut children {
            child.say(["meet", "meet 60000"][round % 2]);
        }
        party.wait_timeout(SOON).unwrap();
        for child in &mut children {
            assert_eq!(child.hear(), "done");
        }
    }
    for child in &mut children {
        told(child, "enrol, come");
    }
    assert!(!stage.latch().try_wait().unwrap());
    children[0].say("pass");
    stage.until_threads_wait(1);
    stage.latch().join().unwrap().count_down().unwrap();
    assert_eq!(children[0].hear(), "done");
    told(&mut children[1], "try pass, pass 0");
}

/// Ways to wait for the ball.
const FORMS: u64 = 5;
/// So many turns of each, for each of the two.
const TURNS: u64 = 400;

/// Waits in one of the forms until the ball's number is one's own.
fn await_turn<G>(condvar: &Condvar, mut guard: G, mine: u64) -> G
where
    G: Guard + DerefMut<Target = u64>,
{
    match mine / 2 % FORMS {
        0 => {
            while *guard != mine {
                guard = condvar.wait(guard).unwrap();
            }
            guard
        }
        1 => condvar.wait_while(guard, |ball| *ball != mine).unwrap(),
        2 => {
            while *guard != mine {
                let ended;
                (guard, ended) = condvar.wait_timeout(guard, SOON).unwrap();
                assert!(!ended.timed_out());
            }
            guard
        }
        3 => {
            while *guard != mine {
                let ended;
                (guard, ended) = condvar.wait_until(guard, Instant::now() + SOON).unwrap();
                assert!(!ended.timed_out());
            }
            guard
        }
        _ => {
            let (guard, ended) =
                condvar.wait_timeout_while(guard, SOON, |ball| *ball != mine).unwrap();
            assert!(!ended.timed_out());
            guard
        }
    }
}

/// Plays with every form, first over the mutex and then over the lock to write.
fn play(plant: &Plant, side: u64) {
    let (mutex, rwlock, .., (condvar, _, _)) = plant;
    for turn in 0..FORMS * TURNS {
        let mut ball = await_turn(condvar, mutex.lock().unwrap(), 2 * turn + side);
        *ball += 1;
        condvar.notify_one().unwrap();
    }
    for turn in 0..FORMS * TURNS {
        let mut ball = await_turn(condvar, rwlock.write().unwrap(), 2 * turn + side);
        *ball += 1;
        condvar.notify_one().unwrap();
    }
}

/// The other side.
pub(crate) fn player(link: &mut Link) {
    play(&Named::<Plant>::open(NAME).unwrap(), 1);
    link.say("played");
    link.hear();
}

#[test]
fn two_processes_play_ping_pong_through_every_form_of_waiting() {
    let stage = Stage::new(0, 1);
    let mut child = crate::children::Child::start(&stage.place, "player", "");
    play(&stage.plant, 0);
    assert_eq!(child.hear(), "played");
    let last = 2 * FORMS * TURNS;
    assert_eq!((*stage.mutex().lock().unwrap(), *stage.rwlock().read().unwrap()), (last, last));
}
