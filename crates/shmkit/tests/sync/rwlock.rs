//! An `RwLock`: each access mode beside each other. Conversions between them: `upgrades`.

use std::time::{Duration, Instant};

use shmkit::sync::{LockError, ReadGuard, RwLock, UpgradableGuard, WriteGuard};
use shmkit::{Error, ErrorKind};

use crate::test_dir::{SHORT, TIMEOUT, TestDir, assert_error, kind, this_process, two_handles};

const NAME: &str = "lock";

/// A mode of access.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    Read,
    Upgradable,
    Write,
}

use Mode::{Read, Upgradable, Write};

pub(crate) const MODES: [Mode; 3] = [Read, Upgradable, Write];

impl Mode {
    /// Whether the lock can be acquired in this mode while it is held in the other.
    pub(crate) fn is_compatible(self, other: Self) -> bool {
        matches!((self, other), (Read, Read | Upgradable) | (Upgradable, Read))
    }
}

/// How long an acquisition may wait: not at all, for a time, until the end of a time, or without a
/// limit.
#[derive(Clone, Copy, Debug)]
enum Timeout {
    Try,
    After(Duration),
    Until(Duration),
    Never,
}

use Timeout::{After, Never, Try, Until};

/// A guard of any mode.
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

fn acquire(lock: &RwLock<u64>, mode: Mode, timeout: Timeout) -> Result<Option<Held<'_>>, Error> {
    let deadline = |time| Instant::now() + time;
    Ok(match (mode, timeout) {
        (Read, Try) => lock.try_read()?.map(Held::Read),
        (Read, After(time)) => Some(Held::Read(lock.read_timeout(time)?)),
        (Read, Until(time)) => Some(Held::Read(lock.read_until(deadline(time))?)),
        (Read, Never) => Some(Held::Read(lock.read()?)),
        (Upgradable, Try) => lock.try_upgradable_read()?.map(Held::Upgradable),
        (Upgradable, After(time)) => Some(Held::Upgradable(lock.upgradable_read_timeout(time)?)),
        (Upgradable, Until(time)) => {
            Some(Held::Upgradable(lock.upgradable_read_until(deadline(time))?))
        }
        (Upgradable, Never) => Some(Held::Upgradable(lock.upgradable_read()?)),
        (Write, Try) => lock.try_write()?.map(Held::Write),
        (Write, After(time)) => Some(Held::Write(lock.write_timeout(time)?)),
        (Write, Until(time)) => Some(Held::Write(lock.write_until(deadline(time))?)),
        (Write, Never) => Some(Held::Write(lock.write()?)),
    })
}

/// Acquires the lock if that is possible at once.
pub(crate) fn try_acquire(lock: &RwLock<u64>, mode: Mode) -> Option<Held<'_>> {
    acquire(lock, mode, Try).unwrap()
}

#[test]
fn each_mode_is_granted_beside_compatible_modes_and_refused_beside_others() {
    let (_dir, [lock, other]) = two_handles::<RwLock<u64>>(NAME, 7);
    for held in MODES {
        for asked in MODES {
            for second in [&lock, &other] {
                let first = acquire(&lock, held, Never).unwrap().unwrap();
                let case = format!("{asked:?} beside {held:?}");
                for timeout in [After(SHORT), Until(SHORT), After(Duration::ZERO), Try] {
                    let answer = acquire(second, asked, timeout);
                    if asked.is_compatible(held) {
                        let guard = answer.unwrap().expect(&case);
                        assert_eq!((first.value(), guard.value()), (7, 7));
                    } else if let Try = timeout {
                        assert!(answer.unwrap().is_none(), "{case}");
                    } else {
                        assert_error(answer.map(drop), ErrorKind::TimedOut, &this_process());
                    }
                }
                drop(first);
                for mode in MODES {
                    assert_eq!(try_acquire(&other, mode).expect("the lock is free").value(), 7);
                }
            }
        }
    }
}

#[test]
fn each_mode_waits_for_incompatible_modes() {
    let (dir, [lock, other]) = two_handles::<RwLock<u64>>(NAME, 0);
    for held in MODES {
        for asked in MODES.into_iter().filter(|asked| !asked.is_compatible(held)) {
            for timeout in [Never, After(TIMEOUT), Until(TIMEOUT)] {
                let first = acquire(&lock, held, Never).unwrap().unwrap();
                std::thread::scope(|scope| {
                    let waiting =
                        scope.spawn(|| acquire(&other, asked, timeout).unwrap().unwrap().value());
                    dir.wait_for_waiters(NAME, 1);
                    assert!(!waiting.is_finished(), "{asked:?} beside {held:?}");
                    drop(first);
                    assert_eq!(waiting.join().unwrap(), 0);
                });
            }
        }
    }
}

#[test]
fn readers_share_and_a_writer_waits_for_all_of_them() {
    let (_dir, [lock, other]) = two_handles::<RwLock<u64>>(NAME, 0);
    let mut readers = vec![lock.read().unwrap(), lock.read().unwrap(), other.read().unwrap()];
    let upgradable = lock.upgradable_read().unwrap();
    assert!(other.try_upgradable_read().unwrap().is_none(), "one reader at a time may upgrade");
    drop(upgradable);
    while let Some(reader) = readers.pop() {
        assert!(other.try_write().unwrap().is_none());
        drop(reader);
    }
    *other.write().unwrap() += 1;
    assert_eq!(*lock.read().unwrap(), 1);
}

#[test]
fn a_waiting_writer_keeps_new_readers_out_until_its_timeout() {
    let (_dir, [lock, other]) = two_handles::<RwLock<u64>>(NAME, 0);
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
    assert_error(other.write_timeout(SHORT), ErrorKind::TimedOut, &this_process());
    assert!(lock.try_read().unwrap().is_some(), "the writer no longer waits");
}

#[test]
fn writes_and_upgrades_are_seen_whole() {
    const STEPS: u64 = 5_000;
    let (_dir, handles) = two_handles::<RwLock<[u64; 2]>>(NAME, [0, 0]);
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
                    assert_eq!(*guard, seen, "another thread wrote during the upgrade");
                    *guard = [guard[0] + 1, guard[1] + 1];
                }
            });
            scope.spawn(|| {
                for _ in 0..STEPS {
                    let guard = lock.read().unwrap();
                    assert_eq!(guard[0], guard[1], "a half-made write was seen");
                }
            });
        }
    });
    assert_eq!(*handles[0].read().unwrap(), [4 * STEPS, 4 * STEPS]);
}

/// Drops a handle that holds the lock, as its process's death does.
fn die_as_holder(dir: &TestDir, mode: Mode) {
    let lock = dir.options::<RwLock<u64>>().open(NAME).unwrap();
    std::mem::forget(acquire(&lock, mode, Never).unwrap());
}

#[test]
fn death_of_a_reader_blocks_no_other_and_is_not_reported() {
    let dir = TestDir::new();
    let lock = dir.options::<RwLock<u64>>().create(NAME, 7).unwrap();
    for held in [Read, Upgradable] {
        for asked in MODES {
            die_as_holder(&dir, held);
            acquire(&lock, asked, Never).unwrap().unwrap();
        }
    }
    die_as_holder(&dir, Read);
    die_as_holder(&dir, Read);
    die_as_holder(&dir, Upgradable);
    assert!(lock.write().unwrap().is_consistent());
}

#[test]
fn owner_death_of_a_writer_is_reported_until_marked_consistent() {
    let (dir, [lock, other]) = two_handles::<RwLock<u64>>(NAME, 7);
    for first in MODES {
        die_as_holder(&dir, Write);
        for mode in [first].into_iter().chain(MODES) {
            for timeout in [Never, After(TIMEOUT), Until(TIMEOUT), Try] {
                assert_eq!(kind(acquire(&lock, mode, timeout)), ErrorKind::OwnerDied);
            }
        }
        let Err(LockError::OwnerDied(guard)) = other.read() else { panic!("no owner death") };
        assert_eq!(*guard, 7);
        drop(guard);
        let mut guard = other.write().unwrap_err().into_guard().unwrap();
        assert!(!guard.is_consistent());
        guard.mark_consistent();
        assert!(guard.is_consistent());
        drop(guard);
        for mode in MODES {
            assert_eq!(try_acquire(&lock, mode).unwrap().value(), 7);
        }
    }
    die_as_holder(&dir, Write);
    assert!(other.write_replacing(8).unwrap().is_consistent());
    assert_eq!(*lock.read().unwrap(), 8);
}

#[test]
fn removal_is_reported_to_waiters_and_later_callers() {
    for held in MODES {
        for asked in MODES.into_iter().filter(|asked| !asked.is_compatible(held)) {
            println!("{asked:?} waits for {held:?}");
            let (dir, [lock, other]) = two_handles::<RwLock<u64>>(NAME, 7);
            let first = acquire(&lock, held, Never).unwrap().unwrap();
            let wait = || kind(acquire(&other, asked, Never).map(drop));
            dir.remove_while_waiting::<RwLock<u64>, _>(NAME, [wait]);
            assert_eq!(first.value(), 7, "the holder keeps the lock");
            drop(first);
            for mode in MODES {
                for timeout in [Never, After(TIMEOUT), Until(TIMEOUT), Try] {
                    assert_eq!(kind(acquire(&lock, mode, timeout)), ErrorKind::Closed);
                }
            }
            assert_eq!(kind(lock.write_replacing(8)), ErrorKind::Closed);
        }
    }
}
