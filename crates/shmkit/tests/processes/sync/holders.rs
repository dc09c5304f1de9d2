//! Whoever is killed while he holds something, or while he waits for it, is replaced, and the
//! others are told if he may have left something half-changed.

use std::thread;

use shmkit::sync::{
    Barrier, Condvar, Event, LockError, Mutex, NoData, Once, ReentrantMutex, Reset, RwLock,
    Semaphore, named::Named,
};

use super::ledger::{Ledger, PATIENCE, told};
use super::words::Words;
use crate::children::{Child, Link};
use crate::place::Place;

const NAME: &str = "held";
const DEAD: u64 = 7;
/// The word of the third primitive, and the bit of it that a waiting writer sets.
const RWLOCK: u64 = 2 * 16;
const DRAINING: u64 = 17;

type All = (
    Mutex<Ledger>,
    ReentrantMutex<Ledger>,
    RwLock<Ledger>,
    (Mutex<NoData>, Condvar),
    Semaphore,
    Event,
    Barrier,
    Once,
);

type Deed = (&'static str, fn(&All, &mut dyn FnMut()));

/// What a child holds when it says so.
const HOLDS: [Deed; 7] = [
    ("mutex", |all, held| {
        let mut ledger = all.0.lock().unwrap();
        ledger.begin(DEAD);
        held();
        ledger.finish(DEAD);
    }),
    ("reentrant mutex", |all, held| {
        let _outer = all.1.lock().unwrap();
        let mut inner = all.1.lock().unwrap();
        let mut ledger = inner.get();
        ledger.begin(DEAD);
        inner.set(ledger);
        held();
    }),
    ("write", |all, held| {
        let mut ledger = all.2.write().unwrap();
        ledger.begin(DEAD);
        held();
        ledger.finish(DEAD);
    }),
    ("read", |all, held| {
        let guards = [all.2.read().unwrap(), all.2.read().unwrap()];
        held();
        drop(guards);
    }),
    ("upgradable read", |all, held| {
        let guard = all.2.upgradable_read().unwrap();
        held();
        drop(guard);
    }),
    ("lock of the condition", |all, held| {
        let guard = all.3.0.lock().unwrap();
        held();
        drop(guard);
    }),
    ("permit", |all, held| {
        let permit = all.4.acquire().unwrap();
        held();
        drop(permit);
    }),
];

/// What a child waits for once it has said so.
const WAITS: [Deed; 9] = [
    ("mutex", |all, _| drop(all.0.lock().unwrap())),
    ("reentrant mutex", |all, _| drop(all.1.lock().unwrap())),
    ("read", |all, _| drop(all.2.read().unwrap())),
    ("upgradable read", |all, _| drop(all.2.upgradable_read().unwrap())),
    ("write", |all, _| drop(all.2.write().unwrap())),
    ("condition", |all, _| drop(all.3.1.wait(all.3.0.lock().unwrap()).unwrap())),
    ("permit", |all, _| drop(all.4.acquire().unwrap())),
    ("event", |all, _| all.5.wait().unwrap()),
    ("once", |all, _| all.7.call_once(|| unreachable!("another does it")).unwrap()),
];

/// Holds what its task says, until it is killed.
pub(crate) fn holder_in_sync(link: &mut Link) {
    let (all, task) = (Named::<All>::open(NAME).unwrap(), link.task());
    let (_, hold) = HOLDS.iter().find(|(name, _)| *name == task).unwrap();
    hold(&all, &mut || {
        link.say("held");
        link.hear();
    });
}

/// Waits for what its task says, until it is killed.
pub(crate) fn waiter_in_sync(link: &mut Link) {
    let (all, task) = (Named::<All>::open(NAME).unwrap(), link.task());
    let (_, wait) = WAITS.iter().find(|(name, _)| *name == task).unwrap();
    wait(&all, &mut || {});
    unreachable!("nobody lets it have {task}");
}

fn create(place: &Place) -> Named<All> {
    let empty = Ledger::default();
    let condition = (NoData::default(), ());
    let initial = (empty, empty, empty, condition, 1, Reset::Automatic, 2, ());
    Named::options().directory(place.path()).create(NAME, initial).unwrap()
}

fn kill_holder(place: &Place, of: &str) {
    println!("held: {of}");
    let mut child = Child::start(place, "holder in sync", of);
    assert_eq!(child.hear(), "held");
    child.kill();
}

/// Has a child wait; returns once it does.
fn start_waiter(place: &Place, of: &str) -> Child {
    println!("waited for: {of}");
    let child = Child::start(place, "waiter in sync", of);
    let waits = || {
        place.describe(NAME).participants.iter().any(|it| it.pid == child.id() && it.waiting > 0)
    };
    while !waits() {
        thread::yield_now();
    }
    child
}

#[test]
fn a_holder_that_dies_half_way_is_told_of_until_one_says_that_all_is_mended() {
    let place = Place::new();
    let all = create(&place);
    for _ in 0..3 {
        kill_holder(&place, "mutex");
        for _ in 0..2 {
            let (ledger, died) = told(all.0.lock_timeout(PATIENCE));
            assert!(died && !ledger.is_whole() && ledger.holder == DEAD);
        }
        let (mut ledger, died) = told(all.0.lock_timeout(PATIENCE));
        assert!(died && !ledger.is_consistent());
        ledger.mend();
        ledger.mark_consistent();
        drop(ledger);
        let (ledger, died) = told(all.0.lock_timeout(PATIENCE));
        assert!(!died && ledger.is_whole());
        drop(ledger);

        kill_holder(&place, "reentrant mutex");
        let (mut guard, died) = told(all.1.lock_timeout(PATIENCE));
        assert!(died && guard.depth() == 1 && guard.get().holder == DEAD);
        let mut ledger = guard.get();
        ledger.mend();
        guard.set(ledger);
        drop(guard);
        let (mut guard, died) = told(all.1.lock_timeout(PATIENCE));
        assert!(died, "nobody said that it is mended");
        guard.mark_consistent();
        drop(guard);
        assert!(!told(all.1.lock_timeout(PATIENCE)).1);
    }
}

#[test]
fn a_dead_writer_is_told_of_to_all_who_share_and_a_dead_reader_to_nobody() {
    let place = Place::new();
    let all = create(&place);
    for _ in 0..3 {
        kill_holder(&place, "write");
        let (one, died) = told(all.2.read_timeout(PATIENCE));
        assert!(died && one.holder == DEAD);
        let (another, died) = told(all.2.upgradable_read_timeout(PATIENCE));
        assert!(died && !another.is_whole());
        drop((one, another));
        let (mut ledger, died) = told(all.2.write_timeout(PATIENCE));
        assert!(died);
        ledger.mend();
        ledger.mark_consistent();
        drop(ledger);
        for of in ["read", "upgradable read"] {
            kill_holder(&place, of);
            let (ledger, died) = told(all.2.upgradable_read_timeout(PATIENCE));
            assert!(!died);
            ledger.upgrade_timeout(PATIENCE).unwrap().check();
        }
        kill_holder(&place, "read");
        assert!(!told(all.2.write_timeout(PATIENCE)).1, "it had changed nothing");
        kill_holder(&place, "permit");
        drop(all.4.acquire_timeout(PATIENCE).unwrap());
        assert_eq!(all.4.available(), 1);
    }
}

#[test]
fn who_dies_waiting_takes_nothing() {
    let place = Place::new();
    let all = create(&place);
    let guards = (all.0.lock().unwrap(), all.1.lock().unwrap());
    start_waiter(&place, "mutex").kill();
    start_waiter(&place, "reentrant mutex").kill();
    drop(guards);
    let writer = all.2.write().unwrap();
    for of in ["read", "upgradable read", "write"] {
        start_waiter(&place, of).kill();
    }
    drop(writer);
    let reader = all.2.read().unwrap();
    let mut writer = start_waiter(&place, "write");
    // It has the lock already, and waits for those who share.
    Words::open(place.path(), NAME).wait_for_bit(RWLOCK, DRAINING);
    writer.kill();
    drop(reader);
    let permit = all.4.acquire().unwrap();
    start_waiter(&place, "permit").kill();
    drop(permit);
    start_waiter(&place, "event").kill();
    all.5.set().unwrap();
    all.7.call_once(|| start_waiter(&place, "once").kill()).unwrap();

    assert!(!told(all.0.lock_timeout(PATIENCE)).1);
    assert!(!told(all.1.lock_timeout(PATIENCE)).1);
    assert!(!told(all.2.read_timeout(PATIENCE)).1);
    assert!(!told(all.2.write_timeout(PATIENCE)).1);
    drop(all.4.acquire_timeout(PATIENCE).unwrap());
    assert_eq!(all.4.available(), 1);
    all.5.wait_timeout(PATIENCE).unwrap();
    assert!(!all.5.try_wait().unwrap(), "it was set once");
    assert!(all.7.is_completed());
}

#[test]
fn who_waits_for_a_condition_is_told_of_a_death_with_its_lock() {
    let place = Place::new();
    let all = create(&place);
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let guard = all.3.0.lock().unwrap();
            match all.3.1.wait_timeout(guard, PATIENCE) {
                Err(LockError::OwnerDied((_, result))) => !result.timed_out(),
                _ => false,
            }
        });
        while place.describe(NAME).participants.iter().all(|it| it.waiting == 0) {
            thread::yield_now();
        }
        kill_holder(&place, "lock of the condition");
        assert!(waits.join().unwrap(), "it waits for a notification from the dead");
    });
}

#[test]
fn a_notification_to_one_who_died_waiting_is_another_s() {
    let place = Place::new();
    let all = create(&place);
    for all_of_them in [false, true] {
        let mut first = start_waiter(&place, "condition");
        thread::scope(|scope| {
            let second = scope.spawn(|| {
                let guard = all.3.0.lock().unwrap();
                let (_, result) = all.3.1.wait_timeout(guard, PATIENCE).unwrap();
                assert!(!result.timed_out(), "it went to the dead one");
            });
            while place.describe(NAME).participants.iter().map(|it| it.waiting).sum::<u32>() < 2 {
                thread::yield_now();
            }
            first.kill();
            let guard = all.3.0.lock().unwrap();
            let notified = if all_of_them { all.3.1.notify_all() } else { all.3.1.notify_one() };
            notified.unwrap();
            drop(guard);
            second.join().unwrap();
        });
    }
}
