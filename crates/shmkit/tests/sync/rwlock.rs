//! A lock that many may share: each way to have it, beside each other way. How one way becomes
//! another: `transfers`.

use std::time::{Duration, Instant};

use shmkit::sync::{LockError, ReadGuard, RwLock, UpgradableGuard, WriteGuard};
use shmkit::{Error, ErrorKind};

use crate::place::{MOMENT, Place, SOON, kind, refused, this_process};

const NAME: &str = "lock";

/// A way to have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    Read,
    Upgradable,
    Write,
}

use Way::{Read, Upgradable, Write};

pub(crate) const WAYS: [Way; 3] = [Read, Upgradable, Write];

impl Way {
    /// Whether one can have it so, while another has it in the `other` way.
    pub(crate) fn goes_with(self, other: Self) -> bool {
        matches!((self, other), (Read, Read | Upgradable) | (Upgradable, Read))
    }
}

/// How it is waited for.
#[derive(Clone, Copy, Debug)]
enum Patience {
    Try,
    Timeout(Duration),
    Until(Duration),
    Ever,
}

use Patience::{Ever, Timeout, Try, Until};

/// It, had in some way.
#[derive(Debug)]
pub(crate) enum Held<'a> {
    Read(ReadGuard<'a, u64>),
    Upgradable(UpgradableGuard<'a, u64>),
    Write(WriteGuard<'a, u64>),
}

impl Held<'_> {
    pub(crate) fn value(&self) -> u64 {
        match self {
            Self::Read(guard) => **guard,
            Self::Upgradable(guard) => **guard,
            Self::Write(guard) => **guard,
        }
    }
}

fn take(lock: &RwLock<u64>, way: Way, patience: Patience) -> Result<Option<Held<'_>>, Error> {
    let after = |time| Instant::now() + time;
    Ok(match (way, patience) {
        (Read, Try) => lock.try_read()?.map(Held::Read),
        (Read, Timeout(time)) => Some(Held::Read(lock.read_timeout(time)?)),
        (Read, Until(time)) => Some(Held::Read(lock.read_until(after(time))?)),
        (Read, Ever) => Some(Held::Read(lock.read()?)),
        (Upgradable, Try) => lock.try_upgradable_read()?.map(Held::Upgradable),
        (Upgradable, Timeout(time)) => Some(Held::Upgradable(lock.upgradable_read_timeout(time)?)),
        (Upgradable, Until(time)) => {
            Some(Held::Upgradable(lock.upgradable_read_until(after(time))?))
        }
        (Upgradable, Ever) => Some(Held::Upgradable(lock.upgradable_read()?)),
        (Write, Try) => lock.try_write()?.map(Held::Write),
        (Write, Timeout(time)) => Some(Held::Write(lock.write_timeout(time)?)),
        (Write, Until(time)) => Some(Held::Write(lock.write_until(after(time))?)),
        (Write, Ever) => Some(Held::Write(lock.write()?)),
    })
}

/// The same, at once or not at all.
pub(crate) fn attempt(lock: &RwLock<u64>, way: Way) -> Option<Held<'_>> {
    take(lock, way, Try).unwrap()
}

#[test]
fn each_way_goes_with_those_that_it_may_and_waits_for_no_other() {
    let place = Place::new();
    let [lock, other] = place.two::<RwLock<u64>>(NAME, 7);
    for held in WAYS {
        for asked in WAYS {
            for asking in [&lock, &other] {
                let first = take(&lock, held, Ever).unwrap().unwrap();
                let case = format!("{asked:?} while another has {held:?}");
                for patience in [Timeout(MOMENT), Until(MOMENT), Timeout(Duration::ZERO), Try] {
                    let answer = take(asking, asked, patience);
                    if asked.goes_with(held) {
                        let second = answer.unwrap().expect(&case);
                        assert_eq!((first.value(), second.value()), (7, 7));
                    } else if let Try = patience {
                        assert!(answer.unwrap().is_none(), "{case}");
                    } else {
                        refused(answer.map(drop), ErrorKind::TimedOut, &this_process());
                    }
                }
                drop(first);
                for way in WAYS {
                    assert_eq!(attempt(&other, way).expect("all was given back").value(), 7);
                }
            }
        }
    }
}

#[test]
fn each_way_waits_for_those_that_stand_in_the_way() {
    let place = Place::new();
    let [lock, other] = place.two::<RwLock<u64>>(NAME, 0);
    for held in WAYS {
        for asked in WAYS.into_iter().filter(|asked| !asked.goes_with(held)) {
            for patience in [Ever, Timeout(SOON), Until(SOON)] {
                let first = take(&lock, held, Ever).unwrap().unwrap();
                std::thread::scope(|scope| {
                    let waiting =
                        scope.spawn(|| take(&other, asked, patience).unwrap().unwrap().value());
                    place.until_threads_wait(NAME, 1);
                    assert!(!waiting.is_finished(), "{asked:?} while another has {held:?}");
                    drop(first);
                    assert_eq!(waiting.join().unwrap(), 0);
                });
            }
        }
    }
}

#[test]
fn readers_share_and_a_writer_waits_for_all_of_them() {
    let place = Place::new();
    let [lock, other] = place.two::<RwLock<u64>>(NAME, 0);
    let mut readers = vec![lock.read().unwrap(), lock.read().unwrap(), other.read().unwrap()];
    let upgradable = lock.upgradable_read().unwrap();
    assert!(other.try_upgradable_read().unwrap().is_none(), "one alone may upgrade");
    drop(upgradable);
    while let Some(reader) = readers.pop() {
        assert!(other.try_write().unwrap().is_none());
        drop(reader);
    }
    *other.write().unwrap() += 1;
    assert_eq!(*lock.read().unwrap(), 1);
}

#[test]
fn a_writer_that_waits_keeps_new_readers_out_until_it_gives_up() {
    let place = Place::new();
    let [lock, other] = place.two::<RwLock<u64>>(NAME, 0);
    let reader = lock.read().unwrap();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| drop(other.write().unwrap()));
        while lock.try_read().unwrap().is_some() {
            std::thread::yield_now();
        }
        assert!(!writing.is_finished());
        drop(reader);
    });
    let _reader = lock.read().unwrap();
    refused(other.write_timeout(MOMENT), ErrorKind::TimedOut, &this_process());
    assert!(lock.try_read().unwrap().is_some(), "as before");
}

#[test]
fn steps_of_writers_and_upgraders_are_seen_whole() {
    const STEPS: u64 = 5_000;
    let place = Place::new();
    let handles = place.two::<RwLock<[u64; 2]>>(NAME, [0, 0]);
    std::thread::scope(|scope| {
        for lock in &handles {
            scope.spawn(|| {
                for _ in 0..STEPS {
                    let mut guard = lock.write().unwrap();
                    *guard = [guard[0] + 1, guard[1] + 1];
                }
            });
            scope.spawn(|| {
                for _ in 0..STEPS {
                    let guard = lock.upgradable_read().unwrap();
                    let seen = *guard;
                    let mut guard = guard.upgrade().unwrap();
                    assert_eq!(*guard, seen, "another wrote in between");
                    *guard = [guard[0] + 1, guard[1] + 1];
                }
            });
            scope.spawn(|| {
                for _ in 0..STEPS {
                    let guard = lock.read().unwrap();
                    assert_eq!(guard[0], guard[1], "half of another's step");
                }
            });
        }
    });
    assert_eq!(*handles[0].read().unwrap(), [4 * STEPS, 4 * STEPS]);
}

/// Has it in a way, and lets the handle go without giving it back: as good as dead.
fn die_with_it(place: &Place, way: Way) {
    let lock = place.of::<RwLock<u64>>().open(NAME).unwrap();
    std::mem::forget(take(&lock, way, Ever).unwrap());
}

#[test]
fn the_end_of_one_who_only_read_stands_in_nobody_s_way() {
    let place = Place::new();
    let lock = place.of::<RwLock<u64>>().create(NAME, 7).unwrap();
    for way in [Read, Upgradable] {
        for asked in WAYS {
            die_with_it(&place, way);
            take(&lock, asked, Ever).unwrap().unwrap();
        }
    }
    die_with_it(&place, Read);
    die_with_it(&place, Read);
    die_with_it(&place, Upgradable);
    assert!(lock.write().unwrap().is_consistent());
}

#[test]
fn a_writer_s_end_is_told_to_all_until_one_says_that_it_is_mended() {
    let place = Place::new();
    let [lock, other] = place.two::<RwLock<u64>>(NAME, 7);
    for first in WAYS {
        die_with_it(&place, Write);
        for way in [first].into_iter().chain(WAYS) {
            for patience in [Ever, Timeout(SOON), Until(SOON), Try] {
                assert_eq!(kind(take(&lock, way, patience)), ErrorKind::OwnerDied);
            }
        }
        let Err(LockError::OwnerDied(guard)) = other.read() else { panic!("not told") };
        assert_eq!(*guard, 7);
        drop(guard);
        let mut guard = other.write().unwrap_err().into_guard().unwrap();
        assert!(!guard.is_consistent());
        guard.mark_consistent();
        assert!(guard.is_consistent());
        drop(guard);
        for way in WAYS {
            assert_eq!(attempt(&lock, way).unwrap().value(), 7);
        }
    }
    die_with_it(&place, Write);
    assert!(other.write_replacing(8).unwrap().is_consistent());
    assert_eq!(*lock.read().unwrap(), 8);
}

#[test]
fn removal_is_told_to_holders_waiters_and_all_who_come() {
    for held in WAYS {
        for asked in WAYS.into_iter().filter(|asked| !asked.goes_with(held)) {
            let place = Place::new();
            let [lock, other] = place.two::<RwLock<u64>>(NAME, 7);
            let first = take(&lock, held, Ever).unwrap().unwrap();
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| kind(take(&other, asked, Ever).map(drop)));
                place.until_threads_wait(NAME, 1);
                place.of::<RwLock<u64>>().remove(NAME).unwrap();
                assert_eq!(waiting.join().unwrap(), ErrorKind::Closed, "{asked:?} on {held:?}");
            });
            assert_eq!(first.value(), 7, "who has it keeps it");
            drop(first);
            for way in WAYS {
                for patience in [Ever, Timeout(SOON), Until(SOON), Try] {
                    assert_eq!(kind(take(&lock, way, patience)), ErrorKind::Closed);
                }
            }
            assert_eq!(kind(lock.write_replacing(8)), ErrorKind::Closed);
        }
    }
}
