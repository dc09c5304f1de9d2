//! Holders of locks, and those who want them.

use std::sync::atomic::AtomicBool;
use std::thread;

use shmkit::sync::{Mutex, ReentrantMutex, RwLock, named::Named};

use super::{Case, Deed, MORE, NAME, Signal, case, is_set};
use crate::place::Place;
use crate::sync::ledger::{Ledger, PATIENCE, told};

type Locks = (Mutex<Ledger>, ReentrantMutex<Ledger>, RwLock<Ledger>);
/// One turn with a lock: whether it was told of a death, which it mends.
type Turn = fn(&Locks, u64) -> bool;

const FREED: &str = "owner: freed, nobody woken";

pub(super) const CASES: &[Case] = &[
    case("mutex", "lock: taken", 1),
    case("mutex", FREED, 0),
    case("reentrant mutex", "lock: taken", 1),
    case("reentrant mutex", FREED, 0),
    case("read", "rwlock: shared, owner not yet seen", 0),
    case("read", "rwlock: taken", 0),
    case("read", "rwlock: share given back, nobody woken", 0),
    case("read", "sleepers: word changed, nobody woken", 0),
    case("upgradable read", "rwlock: taken", 0),
    case("upgradable read", FREED, 0),
    case("upgrade", "rwlock: drained, not yet in", 0),
    case("upgrade", FREED, 0),
    case("write", "rwlock: taken", 1),
    case("write", FREED, 0),
];

pub(super) const DEEDS: &[Deed] = &[
    ("mutex", |_| for_ever(mutex)),
    ("reentrant mutex", |_| for_ever(reentrant_mutex)),
    ("read", |_| for_ever(read)),
    ("upgradable read", |_| for_ever(upgradable_read)),
    ("upgrade", |_| for_ever(upgrade)),
    ("write", |_| for_ever(write)),
];

fn for_ever(turn: Turn) {
    let locks = Named::<Locks>::open(NAME).unwrap();
    loop {
        assert!(!turn(&locks, u64::MAX), "nobody else dies");
    }
}

fn mutex(locks: &Locks, who: u64) -> bool {
    let (mut ledger, died) = told(locks.0.lock_timeout(PATIENCE));
    if died {
        ledger.mend();
        ledger.mark_consistent();
    }
    ledger.check();
    ledger.begin(who);
    thread::yield_now();
    ledger.finish(who);
    died
}

fn reentrant_mutex(locks: &Locks, who: u64) -> bool {
    let (mut outer, died) = told(locks.1.lock_timeout(PATIENCE));
    let mut inner = locks.1.lock_timeout(PATIENCE).ok();
    let guard = inner.as_mut().unwrap_or(&mut outer);
    let mut ledger = guard.get();
    if died {
        ledger.mend();
        guard.mark_consistent();
    }
    ledger.check();
    ledger.begin(who);
    guard.set(ledger);
    thread::yield_now();
    ledger = guard.get();
    ledger.finish(who);
    guard.set(ledger);
    died
}

fn read(locks: &Locks, _: u64) -> bool {
    let (ledger, died) = told(locks.2.read_timeout(PATIENCE));
    if !died {
        ledger.check();
        thread::yield_now();
        ledger.check();
    }
    died
}

fn upgradable_read(locks: &Locks, _: u64) -> bool {
    let (ledger, died) = told(locks.2.upgradable_read_timeout(PATIENCE));
    if !died {
        ledger.check();
        thread::yield_now();
        ledger.check();
    }
    died
}

fn upgrade(locks: &Locks, who: u64) -> bool {
    let (seen, died) = told(locks.2.upgradable_read_timeout(PATIENCE));
    let before = *seen;
    let mut ledger = seen.upgrade_timeout(PATIENCE).unwrap();
    assert_eq!(*ledger, before, "somebody wrote in between");
    if died {
        ledger.mend();
        ledger.mark_consistent();
    }
    ledger.check();
    ledger.begin(who);
    ledger.finish(who);
    ledger.downgrade().check();
    died
}

fn write(locks: &Locks, who: u64) -> bool {
    let (mut ledger, died) = told(locks.2.write_timeout(PATIENCE));
    if died {
        ledger.mend();
        ledger.mark_consistent();
    }
    ledger.check();
    ledger.begin(who);
    thread::yield_now();
    ledger.finish(who);
    died
}

/// Whatever can be done with a lock that is shared.
fn all_ways(locks: &Locks, who: u64) -> bool {
    // Readers mend nothing, and are told of what a writer will be told of, too.
    read(locks, who);
    upgradable_read(locks, who);
    upgrade(locks, who) | write(locks, who)
}

#[test]
fn holders_of_locks_leave_them_to_others_who_are_told_of_those_that_may_have_changed_something() {
    for case in CASES {
        let turn: Turn = match case.deed {
            "mutex" => mutex,
            "reentrant mutex" => reentrant_mutex,
            _ => all_ways,
        };
        survive(case, turn);
    }
}

/// Two others want the lock before, while and after the child dies.
fn survive(case: &Case, turn: Turn) {
    let place = Place::new();
    let options = Named::<Locks>::options().directory(place.path());
    let initial = || (Ledger::default(), Ledger::default(), Ledger::default());
    let locks = [(); 2].map(|()| options.open_or_create(NAME, initial()).unwrap());
    let dead = AtomicBool::new(false);
    let news: u32 = thread::scope(|scope| {
        let survivors = [1, 2].map(|who| {
            let (locks, dead) = (&locks[who as usize - 1], &dead);
            scope.spawn(move || {
                let mut news = 0;
                while !is_set(dead) {
                    news += u32::from(turn(locks, who));
                }
                for _ in 0..MORE {
                    news += u32::from(turn(locks, who));
                }
                news
            })
        });
        let signal = Signal(&dead);
        case.strike(&place);
        drop(signal);
        survivors.into_iter().map(|it| it.join().unwrap()).sum()
    });
    assert_eq!(news, case.news, "deaths told of: {} at {:?}", case.deed, case.point);
}
