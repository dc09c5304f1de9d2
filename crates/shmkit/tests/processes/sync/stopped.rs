//! Who stands still keeps what it has: nobody takes it for dead, however long that lasts.

use std::time::{Duration, Instant};

use shmkit::ErrorKind;
use shmkit::sync::Reset;
use shmkit::sync::named::{self, Named};

use super::stage::{NAME, Plant, SOON, Stage, told};
use crate::children::{Child, Link};
use crate::place::{Place, kind};

const SIGNAL: &str = "signal";

/// A hundred times as long as it takes to find that one is dead.
const LONG: Duration = Duration::from_secs(5);

/// Has the child stand still while `attempts` are made, which are refused, and then go on.
fn while_it_stands_still(stage: &Stage, child: &mut Child, attempts: impl FnOnce(&str)) {
    child.stop();
    attempts(&format!("process {} (", child.id()));
    stage.all_are_alive();
    child.go_on();
}

#[track_caller]
fn refused<T, E: Into<shmkit::Error>>(answer: Result<T, E>, holder: &str) {
    let error = answer.err().expect("the holder lives").into();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(error.to_string().contains(holder), "{error}");
}

#[test]
fn a_mutex_of_one_that_stands_still_stays_its_own() {
    let stage = Stage::new(0, 1);
    let mut child = stage.actor();
    told(&mut child, "lock");
    while_it_stands_still(&stage, &mut child, |holder| {
        refused(stage.mutex().lock_timeout(LONG), holder);
        assert!(stage.mutex().try_lock().unwrap().is_none());
    });
    assert_eq!(child.ask("add"), "1");
    told(&mut child, "drop");
    assert_eq!(*stage.mutex().lock().expect("no death is told"), 1);
}

#[test]
fn a_reentrant_mutex_of_one_that_stands_still_stays_its_own() {
    let stage = Stage::new(0, 1);
    let mut child = stage.actor();
    told(&mut child, "nest, nest");
    while_it_stands_still(&stage, &mut child, |holder| {
        refused(stage.reentrant().lock_timeout(LONG), holder);
        assert!(stage.reentrant().try_lock().unwrap().is_none());
    });
    told(&mut child, "drop, drop");
    drop(stage.reentrant().lock().expect("no death is told"));
}

#[test]
fn a_lock_to_write_of_one_that_stands_still_stays_its_own() {
    let stage = Stage::new(0, 1);
    let mut child = stage.actor();
    told(&mut child, "write");
    while_it_stands_still(&stage, &mut child, |holder| {
        refused(stage.rwlock().read_timeout(LONG), holder);
        refused(stage.rwlock().write_timeout(LONG / 50), holder);
        refused(stage.rwlock().upgradable_read_timeout(LONG / 50), holder);
        assert!(stage.rwlock().try_read().unwrap().is_none());
        assert!(stage.rwlock().try_write().unwrap().is_none());
    });
    assert_eq!(child.ask("add"), "1");
    told(&mut child, "drop");
    assert_eq!(*stage.rwlock().write().expect("no death is told"), 1);
}

#[test]
fn a_share_of_one_that_stands_still_keeps_writers_out() {
    let stage = Stage::new(0, 1);
    let mut child = stage.actor();
    told(&mut child, "read");
    while_it_stands_still(&stage, &mut child, |holder| {
        refused(stage.rwlock().write_timeout(LONG), holder);
        assert!(stage.rwlock().try_write().unwrap().is_none());
        assert!(stage.rwlock().try_read().unwrap().is_some(), "readers share with it");
        let upgradable = stage.rwlock().upgradable_read().unwrap();
        let not = upgradable.upgrade_timeout(LONG / 50).unwrap_err();
        refused(Err::<(), _>(not.error.unwrap()), holder);
    });
    told(&mut child, "drop");
    drop(stage.rwlock().write().unwrap());
}

#[test]
fn a_permit_of_one_that_stands_still_does_not_come_back() {
    let stage = Stage::new(1, 1);
    let mut child = stage.actor();
    told(&mut child, "acquire");
    while_it_stands_still(&stage, &mut child, |_| {
        assert_eq!(kind(stage.semaphore().acquire_timeout(LONG)), ErrorKind::TimedOut);
        assert!(stage.semaphore().try_acquire().unwrap().is_none());
        assert!(!stage.semaphore().try_consume().unwrap());
        let another = Named::<Plant>::options().directory(stage.place.path()).open(NAME).unwrap();
        assert_eq!(stage.semaphore().available(), 0, "nor when another attaches");
        drop(another);
    });
    told(&mut child, "drop");
    drop(stage.semaphore().acquire().unwrap());
}

#[test]
fn what_one_does_once_is_not_done_by_another_while_it_stands_still() {
    let stage = Stage::new(0, 1);
    let mut child = stage.actor();
    assert_eq!(child.ask("do"), "begun");
    let never = || unreachable!("the other one does it");
    while_it_stands_still(&stage, &mut child, |holder| {
        refused(stage.once().call_once_timeout(never, LONG), holder);
        assert!(!stage.once().is_completed());
    });
    assert_eq!(child.ask("end"), "done");
    stage.once().call_once(never).unwrap();
}

#[test]
fn a_party_that_stands_still_is_waited_for() {
    let stage = Stage::new(0, 2);
    let mut child = stage.actor();
    told(&mut child, "join, enrol");
    let mut party = stage.barrier().join().unwrap();
    stage.latch().join().unwrap().count_down().unwrap();
    while_it_stands_still(&stage, &mut child, |_| {
        assert_eq!(kind(party.wait_timeout(LONG)), ErrorKind::TimedOut, "no PeerDied");
        assert_eq!(kind(stage.latch().wait_timeout(LONG / 50)), ErrorKind::TimedOut);
        assert_eq!(kind(stage.barrier().join()), ErrorKind::Full);
    });
    told(&mut child, "come");
    child.say("meet");
    party.wait().unwrap();
    assert_eq!(child.hear(), "done");
    stage.latch().wait().unwrap();
}

/// A child that stands still when it first comes to this point, once it is told to.
fn to_stop_at(stage: &Stage, point: &str) -> Child {
    let mut child = Child::start_with(&stage.place, "actor", "", |command| {
        command.env(shmkit::crash::STOP_VARIABLE, point)
    });
    assert_eq!(child.hear(), "ready");
    child
}

#[test]
fn a_party_that_stands_still_behind_its_coming_has_come_and_is_not_in_the_next_round() {
    let stage = Stage::new(0, 2);
    let mut child = to_stop_at(&stage, "barrier: arrived, not yet seen");
    let mut party = stage.barrier().join().unwrap();
    told(&mut child, "join");
    child.say("meet");
    child.wait_for_stop();
    party.wait().unwrap();
    assert_eq!(kind(party.wait_timeout(LONG / 50)), ErrorKind::TimedOut, "the next round");
    child.go_on();
    assert_eq!(child.hear(), "done", "it waited for that one round");
    told(&mut child, "meet");
    party.wait().unwrap();
}

#[test]
fn one_that_stands_still_while_it_takes_or_gives_a_permit_holds_nobody_up() {
    let stage = Stage::new(3, 1);
    for (point, before, word) in [
        ("semaphore: taken, not on record", "", "acquire"),
        ("semaphore: given back, not on record", "acquire", "drop"),
        ("semaphore: given back, not on record", "", "post"),
    ] {
        let there_were = stage.semaphore().available();
        let mut child = to_stop_at(&stage, point);
        for word in before.split_terminator(", ") {
            told(&mut child, word);
        }
        child.say(word);
        child.wait_for_stop();
        let kept = there_were - u64::from(word == "acquire") + u64::from(word == "post");
        for _ in 0..100 {
            assert_eq!(stage.semaphore().available(), kept);
            let permits: Vec<_> =
                (0..kept).map(|_| stage.semaphore().try_acquire().unwrap().unwrap()).collect();
            assert!(stage.semaphore().try_acquire().unwrap().is_none());
            drop(permits);
            stage.semaphore().post(1).unwrap();
            stage.semaphore().consume().unwrap();
        }
        child.go_on();
        assert_eq!(child.hear(), "done");
        assert_eq!(stage.semaphore().available(), kept);
        if word == "acquire" {
            // The next child is to come to the point only when it is told to.
            told(&mut child, "drop");
        }
    }
}

/// Waits for an event that stays set until it is reset.
pub(crate) fn waiter(link: &mut Link) {
    let event = named::Event::open(SIGNAL).unwrap();
    event.wait().unwrap();
    link.say("it was set");
    link.hear();
}

#[test]
fn an_event_that_was_set_and_reset_while_one_who_waits_stood_still_lets_it_go_on() {
    let place = Place::new();
    let options = named::Event::options().directory(place.path());
    let event = options.create(SIGNAL, Reset::Manual).unwrap();
    let mut child = Child::start(&place, "waiter", "");
    let begun = Instant::now();
    let waits = || place.describe(SIGNAL).participants.iter().any(|member| member.waiting > 0);
    while !waits() {
        std::thread::yield_now();
    }
    // As often as it takes until it has begun to wait before it is stopped.
    while waits() {
        assert!(begun.elapsed() < SOON, "it never learns of what it does not see itself");
        child.stop();
        event.set().unwrap();
        event.reset().unwrap();
        child.go_on();
        std::thread::yield_now();
    }
    assert_eq!(child.hear(), "it was set");
}

#[test]
fn a_waiter_that_stands_still_has_its_notification_when_it_goes_on() {
    let stage = Stage::new(0, 1);
    let mut child = stage.actor();
    told(&mut child, "lock");
    child.say("wait");
    stage.until_threads_wait(1);
    child.stop();
    stage.condvar().notify_one().unwrap();
    // It is not another's, who looks for those of the dead.
    let guard = stage.mutex().lock().unwrap();
    let (guard, ended) = stage.condvar().wait_timeout(guard, LONG / 20).unwrap();
    assert!(ended.timed_out());
    drop(guard);
    stage.all_are_alive();
    child.go_on();
    assert_eq!(child.hear(), "done");
}
