//! Holders of locks, and their waiters.

use std::ops::DerefMut;
use std::thread;

use shmkit::sync::{Guard, LockResult, Mutex, MutexGuard, ReentrantMutex, RwLock, WriteGuard};

use super::{Case, NAME, Operation, ROUNDS_AFTER, WAITERS_NOT_WOKEN, case};
use crate::flag::Flag;
use crate::sync::guarded::{Counts, guard_and_death};
use crate::test_dir::{TestDir, open};
use crate::times::TIMEOUT;

type Locks = (Mutex<Counts>, ReentrantMutex<Counts>, RwLock<Counts>);
/// A critical section with a number that marks its change. Returns whether the death of an owner
/// was reported, after which a writer repairs the value.
type Section = fn(&Locks, u64) -> bool;

pub(super) const CASES: &[Case] = &[
    case("mutex", "lock: taken", 1),
    case("mutex", WAITERS_NOT_WOKEN, 0),
    case("reentrant mutex", "lock: taken", 1),
    case("reentrant mutex", WAITERS_NOT_WOKEN, 0),
    case("read", "rwlock: shared, owner not yet seen", 0),
    case("read", "rwlock: taken", 0),
    case("read", WAITERS_NOT_WOKEN, 0),
    case("upgradable read", "rwlock: taken", 0),
    case("upgradable read", WAITERS_NOT_WOKEN, 0),
    case("upgrade", "rwlock: drained, not yet in", 0),
    case("upgrade", WAITERS_NOT_WOKEN, 0),
    case("write", "rwlock: taken", 1),
    case("write", WAITERS_NOT_WOKEN, 0),
];

pub(super) const OPERATIONS: &[Operation] = &[
    ("mutex", |_| repeat(mutex)),
    ("reentrant mutex", |_| repeat(reentrant_mutex)),
    ("read", |_| repeat(read)),
    ("upgradable read", |_| repeat(upgradable_read)),
    ("upgrade", |_| repeat(upgrade)),
    ("write", |_| repeat(write)),
];

fn repeat(section: Section) {
    let locks = open::<Locks>(NAME);
    loop {
        assert!(!section(&locks, u64::MAX), "no other process dies");
    }
}

fn change(counts: &mut Counts, id: u64) {
    counts.assert_whole();
    counts.begin_change(id);
    thread::yield_now();
    counts.finish_change(id);
}

/// Changes what the lock guards, after a repair if the previous owner died.
fn repair_and_change<G>(answer: LockResult<G>, mark_consistent: fn(&mut G), id: u64) -> (G, bool)
where
    G: Guard + DerefMut<Target = Counts>,
{
    let (mut guard, owner_died) = guard_and_death(answer);
    if owner_died {
        guard.repair();
        mark_consistent(&mut guard);
    }
    change(&mut guard, id);
    (guard, owner_died)
}

fn mutex(locks: &Locks, id: u64) -> bool {
    repair_and_change(locks.0.lock_timeout(TIMEOUT), MutexGuard::mark_consistent, id).1
}

fn write(locks: &Locks, id: u64) -> bool {
    repair_and_change(locks.2.write_timeout(TIMEOUT), WriteGuard::mark_consistent, id).1
}

fn reentrant_mutex(locks: &Locks, id: u64) -> bool {
    let (mut outer, owner_died) = guard_and_death(locks.1.lock_timeout(TIMEOUT));
    let mut inner = locks.1.lock_timeout(TIMEOUT).ok();
    let guard = inner.as_mut().unwrap_or(&mut outer);
    let mut counts = guard.get();
    if owner_died {
        counts.repair();
        guard.mark_consistent();
    }
    counts.assert_whole();
    counts.begin_change(id);
    guard.set(counts);
    thread::yield_now();
    counts = guard.get();
    counts.finish_change(id);
    guard.set(counts);
    owner_died
}

/// Reads what the lock guards, unless the last writer died.
fn check_shared<G>(answer: LockResult<G>) -> bool
where
    G: Guard + std::ops::Deref<Target = Counts>,
{
    let (counts, owner_died) = guard_and_death(answer);
    if !owner_died {
        counts.assert_whole();
        thread::yield_now();
        counts.assert_whole();
    }
    owner_died
}

fn read(locks: &Locks, _: u64) -> bool {
    check_shared(locks.2.read_timeout(TIMEOUT))
}

fn upgradable_read(locks: &Locks, _: u64) -> bool {
    check_shared(locks.2.upgradable_read_timeout(TIMEOUT))
}

fn upgrade(locks: &Locks, id: u64) -> bool {
    let (guard, owner_died) = guard_and_death(locks.2.upgradable_read_timeout(TIMEOUT));
    let before = *guard;
    let mut guard = guard.upgrade_timeout(TIMEOUT).unwrap();
    assert_eq!(*guard, before, "another process wrote during the upgrade");
    if owner_died {
        guard.repair();
        guard.mark_consistent();
    }
    change(&mut guard, id);
    guard.downgrade().assert_whole();
    owner_died
}

/// Acquires the `RwLock` in every way.
fn rwlock(locks: &Locks, id: u64) -> bool {
    // Readers repair nothing: a death that is reported to them is reported to the next writer, too.
    read(locks, id);
    upgradable_read(locks, id);
    upgrade(locks, id) | write(locks, id)
}

#[test]
fn dead_holders_release_their_locks_and_only_exclusive_ones_are_reported() {
    for case in CASES {
        let section: Section = match case.operation {
            "mutex" => mutex,
            "reentrant mutex" => reentrant_mutex,
            _ => rwlock,
        };
        check(case, section);
    }
}

/// Two threads use the lock before, while and after the child dies.
fn check(case: &Case, section: Section) {
    let dir = TestDir::new();
    let locks = dir.handles::<Locks, 2>(NAME, Default::default());
    let dead = Flag::new();
    let deaths: u32 = thread::scope(|scope| {
        let survivors = [1, 2].map(|id| {
            let (locks, dead) = (&locks[id as usize - 1], &dead);
            scope.spawn(move || {
                let mut deaths = 0;
                while !dead.is_set() {
                    deaths += u32::from(section(locks, id));
                }
                for _ in 0..ROUNDS_AFTER {
                    deaths += u32::from(section(locks, id));
                }
                deaths
            })
        });
        let set_dead = dead.set_on_drop();
        case.kill_child(&dir);
        drop(set_dead);
        survivors.into_iter().map(|it| it.join().unwrap()).sum()
    });
    assert_eq!(deaths, case.deaths, "reported deaths: {case}");
}
