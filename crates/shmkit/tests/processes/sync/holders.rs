//! A holder or waiter is killed: what it held is released, the others are told if it may have
//! left the value half-changed, and its wait takes nothing.

use std::thread;

use shmkit::Object;
use shmkit::sync::{
    Barrier, Condvar, Event, LockError, Mutex, NoData, Once, ReentrantMutex, Reset, RwLock,
    Semaphore,
};

use super::guarded::{Counts, guard_and_death};
use super::words::Words;
use crate::children::{Child, Link};
use crate::test_dir::{TestDir, open};
use crate::times::TIMEOUT;

const NAME: &str = "objects";
/// The number by which children mark what they change.
const DYING: u64 = 7;
/// The owner word of the `RwLock`, which is the third primitive, and its bit for a writer that
/// waits for the readers.
const RWLOCK: u64 = 2 * 16;
const DRAINING: u64 = 17;

type All = (
    Mutex<Counts>,
    ReentrantMutex<Counts>,
    RwLock<Counts>,
    (Mutex<NoData>, Condvar),
    Semaphore,
    Event,
    Barrier,
    Once,
);

/// Acquires something, calls the function, and releases it.
type Hold = fn(&All, &mut dyn FnMut());

/// What a child can hold.
const HOLDS: [(&str, Hold); 7] = [
    ("mutex", |all, held| {
        let mut counts = all.0.lock().unwrap();
        counts.begin_change(DYING);
        held();
        counts.finish_change(DYING);
    }),
    ("reentrant mutex", |all, held| {
        let _outer = all.1.lock().unwrap();
        let mut inner = all.1.lock().unwrap();
        let mut counts = inner.get();
        counts.begin_change(DYING);
        inner.set(counts);
        held();
    }),
    ("write", |all, held| {
        let mut counts = all.2.write().unwrap();
        counts.begin_change(DYING);
        held();
        counts.finish_change(DYING);
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
    ("condvar's mutex", |all, held| {
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

type Wait = fn(&All);

/// What a child can wait for.
const WAITS: [(&str, Wait); 9] = [
    ("mutex", |all| drop(all.0.lock().unwrap())),
    ("reentrant mutex", |all| drop(all.1.lock().unwrap())),
    ("read", |all| drop(all.2.read().unwrap())),
    ("upgradable read", |all| drop(all.2.upgradable_read().unwrap())),
    ("write", |all| drop(all.2.write().unwrap())),
    ("condvar", |all| drop(all.3.1.wait(all.3.0.lock().unwrap()).unwrap())),
    ("permit", |all| drop(all.4.acquire().unwrap())),
    ("event", |all| all.5.wait().unwrap()),
    ("once", |all| all.7.call_once(|| unreachable!("another process makes the call")).unwrap()),
];

/// Holds what its task says until it is killed.
pub(crate) fn holder(link: &mut Link) {
    let (all, task) = (open::<All>(NAME), link.task());
    let (_, hold) = HOLDS.iter().find(|(name, _)| *name == task).unwrap();
    hold(&all, &mut || {
        link.send("ready");
        link.receive();
    });
}

/// Waits for what its task says until it is killed.
pub(crate) fn waiter(link: &mut Link) {
    let (all, task) = (open::<All>(NAME), link.task());
    let (_, wait) = WAITS.iter().find(|(name, _)| *name == task).unwrap();
    wait(&all);
    unreachable!("the wait for {task} has ended");
}

fn create(dir: &TestDir) -> Object<All> {
    let empty = Counts::default();
    let condvar = (NoData::default(), ());
    let initial = (empty, empty, empty, condvar, 1, Reset::Automatic, 2, ());
    dir.primitive::<All>().create(NAME, initial).unwrap()
}

fn kill_holder(dir: &TestDir, held: &str) {
    println!("holder: {held}");
    Child::start_ready(dir, "holder", held).kill();
}

/// Starts a child, and returns it once it waits, as the only thread.
fn start_waiter(dir: &TestDir, wait: &str) -> Child {
    println!("waiter: {wait}");
    let child = Child::start(dir, "waiter", wait);
    dir.wait_for_waiters(NAME, 1);
    child
}

#[test]
fn owner_death_is_reported_until_the_value_is_marked_consistent() {
    let dir = TestDir::new();
    let all = create(&dir);
    for _ in 0..3 {
        kill_holder(&dir, "mutex");
        for _ in 0..2 {
            let (counts, owner_died) = guard_and_death(all.0.lock_timeout(TIMEOUT));
            assert!(owner_died && !counts.is_whole() && counts.changing == DYING);
        }
        let (mut counts, owner_died) = guard_and_death(all.0.lock_timeout(TIMEOUT));
        assert!(owner_died && !counts.is_consistent());
        counts.repair();
        counts.mark_consistent();
        drop(counts);
        let (counts, owner_died) = guard_and_death(all.0.lock_timeout(TIMEOUT));
        assert!(!owner_died && counts.is_whole());
        drop(counts);

        kill_holder(&dir, "reentrant mutex");
        let (mut guard, owner_died) = guard_and_death(all.1.lock_timeout(TIMEOUT));
        assert!(owner_died && guard.depth() == 1 && guard.get().changing == DYING);
        let mut counts = guard.get();
        counts.repair();
        guard.set(counts);
        drop(guard);
        let (mut guard, owner_died) = guard_and_death(all.1.lock_timeout(TIMEOUT));
        assert!(owner_died, "the value was not marked consistent");
        guard.mark_consistent();
        drop(guard);
        assert!(!guard_and_death(all.1.lock_timeout(TIMEOUT)).1);
    }
}

#[test]
fn owner_death_is_reported_for_a_writer_and_not_for_a_reader() {
    let dir = TestDir::new();
    let all = create(&dir);
    for _ in 0..3 {
        kill_holder(&dir, "write");
        let (reader, owner_died) = guard_and_death(all.2.read_timeout(TIMEOUT));
        assert!(owner_died && reader.changing == DYING);
        let (upgradable, owner_died) = guard_and_death(all.2.upgradable_read_timeout(TIMEOUT));
        assert!(owner_died && !upgradable.is_whole());
        drop((reader, upgradable));
        let (mut counts, owner_died) = guard_and_death(all.2.write_timeout(TIMEOUT));
        assert!(owner_died);
        counts.repair();
        counts.mark_consistent();
        drop(counts);
        for held in ["read", "upgradable read"] {
            kill_holder(&dir, held);
            let (guard, owner_died) = guard_and_death(all.2.upgradable_read_timeout(TIMEOUT));
            assert!(!owner_died);
            guard.upgrade_timeout(TIMEOUT).unwrap().assert_whole();
        }
        kill_holder(&dir, "read");
        assert!(!guard_and_death(all.2.write_timeout(TIMEOUT)).1, "a reader changes nothing");
        kill_holder(&dir, "permit");
        drop(all.4.acquire_timeout(TIMEOUT).unwrap());
        assert_eq!(all.4.available(), 1);
    }
}

#[test]
fn a_killed_waiter_has_taken_nothing() {
    let dir = TestDir::new();
    let all = create(&dir);
    let guards = (all.0.lock().unwrap(), all.1.lock().unwrap());
    start_waiter(&dir, "mutex").kill();
    start_waiter(&dir, "reentrant mutex").kill();
    drop(guards);
    let writer = all.2.write().unwrap();
    for wait in ["read", "upgradable read", "write"] {
        start_waiter(&dir, wait).kill();
    }
    drop(writer);
    let reader = all.2.read().unwrap();
    let mut writer = start_waiter(&dir, "write");
    // The writer owns the lock, and waits for the readers to leave.
    Words::open(dir.path(), NAME).wait_for_bit(RWLOCK, DRAINING);
    writer.kill();
    drop(reader);
    let permit = all.4.acquire().unwrap();
    start_waiter(&dir, "permit").kill();
    drop(permit);
    start_waiter(&dir, "event").kill();
    all.5.set().unwrap();
    all.7.call_once(|| start_waiter(&dir, "once").kill()).unwrap();

    assert!(!guard_and_death(all.0.lock_timeout(TIMEOUT)).1);
    assert!(!guard_and_death(all.1.lock_timeout(TIMEOUT)).1);
    assert!(!guard_and_death(all.2.read_timeout(TIMEOUT)).1);
    assert!(!guard_and_death(all.2.write_timeout(TIMEOUT)).1);
    drop(all.4.acquire_timeout(TIMEOUT).unwrap());
    assert_eq!(all.4.available(), 1);
    all.5.wait_timeout(TIMEOUT).unwrap();
    assert!(!all.5.try_wait().unwrap(), "the event was set once");
    assert!(all.7.is_completed());
}

#[test]
fn owner_death_is_reported_to_a_condvar_waiter() {
    let dir = TestDir::new();
    let all = create(&dir);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let guard = all.3.0.lock().unwrap();
            match all.3.1.wait_timeout(guard, TIMEOUT) {
                Err(LockError::OwnerDied((_, result))) => !result.timed_out(),
                _ => false,
            }
        });
        dir.wait_for_waiters(NAME, 1);
        kill_holder(&dir, "condvar's mutex");
        assert!(waiting.join().unwrap(), "the waiter was not told of the owner's death");
    });
}

#[test]
fn a_notification_for_a_dead_waiter_goes_to_a_living_one() {
    let dir = TestDir::new();
    let all = create(&dir);
    for notify in [Condvar::notify_one, Condvar::notify_all] {
        let mut first = start_waiter(&dir, "condvar");
        thread::scope(|scope| {
            let second = scope.spawn(|| {
                let guard = all.3.0.lock().unwrap();
                let (_, result) = all.3.1.wait_timeout(guard, TIMEOUT).unwrap();
                assert!(!result.timed_out(), "the notification went to the dead waiter");
            });
            dir.wait_for_waiters(NAME, 2);
            first.kill();
            let guard = all.3.0.lock().unwrap();
            notify(&all.3.1).unwrap();
            drop(guard);
            second.join().unwrap();
        });
    }
}
