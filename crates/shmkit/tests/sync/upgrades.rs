//! How the guards of an `RwLock` are converted, at once or by waiting.

use std::time::{Duration, Instant};

use shmkit::sync::{NotUpgraded, RwLock, UpgradableGuard, WriteGuard};
use shmkit::{Error, ErrorKind};

use crate::rwlock::{MODES, Mode, try_acquire};
use crate::test_dir::{SHORT, TIMEOUT, TestDir, assert_error, this_process, two_handles};

const NAME: &str = "lock";

/// Checks in which mode the lock is held, by what others can acquire.
#[track_caller]
fn assert_held(other: &RwLock<u64>, mode: Mode) {
    for asked in MODES {
        let acquired = try_acquire(other, asked).is_some();
        assert_eq!(acquired, asked.is_compatible(mode), "{asked:?} beside {mode:?}");
    }
}

#[track_caller]
fn assert_free(other: &RwLock<u64>) {
    for mode in MODES {
        assert!(try_acquire(other, mode).is_some(), "{mode:?}");
    }
}

type Upgrade<'a> = fn(
    UpgradableGuard<'a, u64>,
) -> Result<WriteGuard<'a, u64>, NotUpgraded<UpgradableGuard<'a, u64>>>;

/// Every method that upgrades, with a timeout that does not expire.
fn upgrades<'a>() -> [Upgrade<'a>; 4] {
    [
        UpgradableGuard::upgrade,
        UpgradableGuard::try_upgrade,
        |guard| guard.upgrade_timeout(TIMEOUT),
        |guard| guard.upgrade_until(Instant::now() + TIMEOUT),
    ]
}

#[test]
fn an_upgradable_guard_is_upgraded_and_downgraded() {
    let (_dir, [lock, other]) = two_handles::<RwLock<u64>>(NAME, 0);
    for (number, upgrade) in (1..).zip(upgrades()) {
        let guard = lock.upgradable_read().unwrap();
        assert_held(&other, Mode::Upgradable);
        let mut guard = upgrade(guard).unwrap();
        assert_held(&other, Mode::Write);
        *guard += 1;
        let guard = guard.downgrade_to_upgradable();
        assert_held(&other, Mode::Upgradable);
        assert_eq!(*guard, number);
        let guard = upgrade(guard).unwrap();
        assert_held(&other, Mode::Write);
        drop(guard);
        assert_free(&other);
    }
}

#[test]
fn a_read_guard_becomes_upgradable_if_no_other_is_and_is_downgraded() {
    let (_dir, [lock, other]) = two_handles::<RwLock<u64>>(NAME, 7);
    let guard = lock.read().unwrap();
    assert_held(&other, Mode::Read);
    let beside = other.read().unwrap();
    let guard = guard.try_into_upgradable().expect("other readers are compatible");
    drop(beside);
    assert_held(&other, Mode::Upgradable);
    let guard = guard.downgrade();
    assert_held(&other, Mode::Read);

    let upgradable = other.upgradable_read().unwrap();
    let not = guard.try_into_upgradable().expect_err("another guard is upgradable");
    assert!(not.error.is_none() && *not.guard == 7);
    assert!(format!("{not:?}").starts_with("NotUpgraded { error: None"), "{not:?}");
    drop(upgradable);
    assert_held(&other, Mode::Read);
    let guard = not.guard.try_into_upgradable().unwrap();
    assert_eq!(*guard, 7);
    drop(guard);
    assert_free(&other);
}

#[test]
fn a_sole_read_guard_is_upgraded_and_downgraded() {
    let (_dir, [lock, other]) = two_handles::<RwLock<u64>>(NAME, 7);
    let mut guard = lock.read().unwrap().try_upgrade().unwrap();
    assert_held(&other, Mode::Write);
    *guard = 8;
    let guard = guard.downgrade();
    assert_held(&other, Mode::Read);
    assert_eq!(*guard, 8);

    // Beside another reader, of either handle, the guard stays a read guard.
    for beside in [&lock, &other] {
        let second = beside.read().unwrap();
        let not = lock.read().unwrap().try_upgrade().expect_err("another reads");
        assert_eq!(*not.guard, 8);
        assert_error(Err::<(), Error>(not.into()), ErrorKind::Busy, "other holders share it");
        drop(second);
        assert_held(&other, Mode::Read);
    }
    let upgradable = other.upgradable_read().unwrap();
    let not = guard.try_upgrade().expect_err("another may upgrade");
    assert!(not.error.is_none());
    drop(upgradable);
    drop(not.guard.try_upgrade().unwrap());
    assert_free(&other);
}

#[test]
fn a_downgraded_write_guard_lets_waiting_readers_continue() {
    let (dir, [lock, other]) = two_handles::<RwLock<u64>>(NAME, 7);
    for upgradable in [false, true] {
        let mut guard = lock.write().unwrap();
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| *other.read().unwrap());
            dir.wait_for_waiters(NAME, 1);
            *guard += 1;
            let value = *guard;
            let (read, upgrade) = match upgradable {
                true => (None, Some(guard.downgrade_to_upgradable())),
                false => (Some(guard.downgrade()), None),
            };
            assert_eq!(reading.join().unwrap(), value);
            drop((read, upgrade));
        });
        assert_free(&other);
    }
}

#[test]
fn an_upgrade_that_others_prevent_returns_the_guard_unchanged() {
    let (_dir, [lock, other]) = two_handles::<RwLock<u64>>(NAME, 7);
    for beside in [&lock, &other] {
        let mut guard = lock.upgradable_read().unwrap();
        let reader = beside.read().unwrap();
        let not = guard.try_upgrade().expect_err("another reads");
        assert!(not.error.is_none());
        guard = not.guard;
        let too_short: [Upgrade<'_>; 4] = [
            |guard| guard.upgrade_timeout(SHORT),
            |guard| guard.upgrade_timeout(Duration::ZERO),
            |guard| guard.upgrade_until(Instant::now() + SHORT),
            |guard| guard.upgrade_until(Instant::now()),
        ];
        for upgrade in too_short {
            let not = upgrade(guard).expect_err("another reads");
            let error = not.error.expect("the timeout expired");
            assert_error(Err::<(), _>(error), ErrorKind::TimedOut, &this_process());
            guard = not.guard;
            assert_eq!(*guard, 7);
            assert_held(&other, Mode::Upgradable);
        }
        drop(reader);
        drop(guard.try_upgrade().unwrap());
        assert_free(&other);
    }
}

#[test]
fn an_upgrade_waits_for_readers_and_excludes_writers_meanwhile() {
    let (dir, [lock, other]) = two_handles::<RwLock<u64>>(NAME, 0);
    for (number, upgrade) in (0..).zip([upgrades()[0], upgrades()[2], upgrades()[3]]) {
        let reader = other.read().unwrap();
        let guard = lock.upgradable_read().unwrap();
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| *other.write().unwrap() += 1);
            dir.wait_for_waiters(NAME, 1);
            let upgrading = scope.spawn(|| *upgrade(guard).unwrap());
            dir.wait_for_waiters(NAME, 2);
            assert!(!upgrading.is_finished() && *reader == number);
            drop(reader);
            assert_eq!(upgrading.join().unwrap(), number);
            writing.join().unwrap();
        });
    }
}

#[test]
fn an_upgrade_after_removal_fails_and_returns_the_guard() {
    for number in 0..upgrades().len() {
        let (dir, [lock, other]) = two_handles::<RwLock<u64>>(NAME, 7);
        let reader = other.read().unwrap();
        let guard = lock.upgradable_read().unwrap();
        dir.options::<RwLock<u64>>().remove(NAME).unwrap();
        let not = upgrades()[number](guard).expect_err("another reads");
        // `try_upgrade` does not wait, and reports only that others prevent it.
        let kind = not.error.map(|error| error.kind());
        assert!(kind.is_none_or(|kind| kind == ErrorKind::Closed), "{kind:?}");
        assert_eq!(*not.guard, 7);
        drop(reader);
    }
}

#[test]
fn a_dead_reader_does_not_prevent_an_upgrade() {
    let dir = TestDir::new();
    let lock = dir.options::<RwLock<u64>>().create(NAME, 7).unwrap();
    for upgrade in [upgrades()[0], upgrades()[2], upgrades()[3]] {
        for _ in 0..3 {
            let dying = dir.options::<RwLock<u64>>().open(NAME).unwrap();
            std::mem::forget(dying.read().unwrap());
        }
        let guard = upgrade(lock.upgradable_read().unwrap()).unwrap();
        assert!(guard.is_consistent());
    }
}
