//! How one way to have an `RwLock` becomes another, at once or by waiting.

use std::time::{Duration, Instant};

use shmkit::sync::{NotUpgraded, RwLock, UpgradableGuard, WriteGuard};
use shmkit::{Error, ErrorKind};

use crate::place::{MOMENT, Place, SOON, refused, this_process};
use crate::rwlock::{WAYS, Way, attempt};

const NAME: &str = "lock";

/// What others can have beside it shows in which way it is had.
#[track_caller]
fn is_had(other: &RwLock<u64>, way: Way) {
    for asked in WAYS {
        let got = attempt(other, asked).is_some();
        assert_eq!(got, asked.goes_with(way), "{asked:?} beside {way:?}");
    }
}

#[track_caller]
fn is_free(other: &RwLock<u64>) {
    for way in WAYS {
        assert!(attempt(other, way).is_some(), "{way:?}");
    }
}

type Upgrade<'a> = fn(
    UpgradableGuard<'a, u64>,
) -> Result<WriteGuard<'a, u64>, NotUpgraded<UpgradableGuard<'a, u64>>>;

/// Every way to upgrade, with time enough.
fn upgrades<'a>() -> [Upgrade<'a>; 4] {
    [
        UpgradableGuard::upgrade,
        UpgradableGuard::try_upgrade,
        |guard| guard.upgrade_timeout(SOON),
        |guard| guard.upgrade_until(Instant::now() + SOON),
    ]
}

#[test]
fn an_upgradable_one_becomes_one_to_write_and_back() {
    let place = Place::new();
    let [lock, other] = place.two::<RwLock<u64>>(NAME, 0);
    for (number, upgrade) in (1..).zip(upgrades()) {
        let guard = lock.upgradable_read().unwrap();
        is_had(&other, Way::Upgradable);
        let mut guard = upgrade(guard).unwrap();
        is_had(&other, Way::Write);
        *guard += 1;
        let guard = guard.downgrade_to_upgradable();
        is_had(&other, Way::Upgradable);
        assert_eq!(*guard, number);
        let guard = upgrade(guard).unwrap();
        is_had(&other, Way::Write);
        drop(guard);
        is_free(&other);
    }
}

#[test]
fn one_to_read_becomes_upgradable_where_there_is_none_and_back() {
    let place = Place::new();
    let [lock, other] = place.two::<RwLock<u64>>(NAME, 7);
    let guard = lock.read().unwrap();
    is_had(&other, Way::Read);
    let beside = other.read().unwrap();
    let guard = guard.try_into_upgradable().expect("others who read are no hindrance");
    drop(beside);
    is_had(&other, Way::Upgradable);
    let guard = guard.downgrade();
    is_had(&other, Way::Read);

    let upgradable = other.upgradable_read().unwrap();
    let not = guard.try_into_upgradable().expect_err("there is one");
    assert!(not.error.is_none() && *not.guard == 7);
    assert!(format!("{not:?}").starts_with("NotUpgraded { error: None"), "{not:?}");
    drop(upgradable);
    is_had(&other, Way::Read);
    let guard = not.guard.try_into_upgradable().unwrap();
    assert_eq!(*guard, 7);
    drop(guard);
    is_free(&other);
}

#[test]
fn one_to_read_becomes_one_to_write_where_it_is_the_only_one_and_back() {
    let place = Place::new();
    let [lock, other] = place.two::<RwLock<u64>>(NAME, 7);
    let mut guard = lock.read().unwrap().try_upgrade().unwrap();
    is_had(&other, Way::Write);
    *guard = 8;
    let guard = guard.downgrade();
    is_had(&other, Way::Read);
    assert_eq!(*guard, 8);

    // Beside another, of this handle or the other, it stays what it is.
    for beside in [&lock, &other] {
        let second = beside.read().unwrap();
        let not = guard_of(&lock).try_upgrade().expect_err("another reads");
        assert_eq!(*not.guard, 8);
        refused(Err::<(), Error>(not.into()), ErrorKind::Busy, "others have it, too");
        drop(second);
        is_had(&other, Way::Read);
    }
    let upgradable = other.upgradable_read().unwrap();
    let not = guard.try_upgrade().expect_err("another may upgrade");
    assert!(not.error.is_none());
    drop(upgradable);
    drop(not.guard.try_upgrade().unwrap());
    is_free(&other);
}

fn guard_of(lock: &RwLock<u64>) -> shmkit::sync::ReadGuard<'_, u64> {
    lock.read().unwrap()
}

#[test]
fn one_to_write_becomes_one_to_read_and_those_who_wait_to_read_go_on() {
    let place = Place::new();
    let [lock, other] = place.two::<RwLock<u64>>(NAME, 7);
    for upgradable in [false, true] {
        let mut guard = lock.write().unwrap();
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| *other.read().unwrap());
            place.until_threads_wait(NAME, 1);
            *guard += 1;
            let value = *guard;
            let (read, upgrade) = match upgradable {
                true => (None, Some(guard.downgrade_to_upgradable())),
                false => (Some(guard.downgrade()), None),
            };
            assert_eq!(reading.join().unwrap(), value);
            drop((read, upgrade));
        });
        is_free(&other);
    }
}

#[test]
fn an_upgrade_that_others_stand_in_the_way_of_gives_the_guard_back_as_it_was() {
    let place = Place::new();
    let [lock, other] = place.two::<RwLock<u64>>(NAME, 7);
    for beside in [&lock, &other] {
        let mut guard = lock.upgradable_read().unwrap();
        let reader = beside.read().unwrap();
        let not = guard.try_upgrade().expect_err("another reads");
        assert!(not.error.is_none());
        guard = not.guard;
        let too_short: [Upgrade<'_>; 4] = [
            |guard| guard.upgrade_timeout(MOMENT),
            |guard| guard.upgrade_timeout(Duration::ZERO),
            |guard| guard.upgrade_until(Instant::now() + MOMENT),
            |guard| guard.upgrade_until(Instant::now()),
        ];
        for upgrade in too_short {
            let not = upgrade(guard).expect_err("another reads");
            let error = not.error.expect("the time is over");
            refused(Err::<(), _>(error), ErrorKind::TimedOut, &this_process());
            guard = not.guard;
            assert_eq!(*guard, 7);
            is_had(&other, Way::Upgradable);
        }
        drop(reader);
        drop(guard.try_upgrade().unwrap());
        is_free(&other);
    }
}

#[test]
fn an_upgrade_waits_for_readers_to_leave_and_nobody_writes_in_between() {
    let place = Place::new();
    let [lock, other] = place.two::<RwLock<u64>>(NAME, 0);
    for (number, upgrade) in (0..).zip([upgrades()[0], upgrades()[2], upgrades()[3]]) {
        let reader = other.read().unwrap();
        let guard = lock.upgradable_read().unwrap();
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| *other.write().unwrap() += 1);
            place.until_threads_wait(NAME, 1);
            let upgrading = scope.spawn(|| *upgrade(guard).unwrap());
            place.until_threads_wait(NAME, 2);
            assert!(!upgrading.is_finished() && *reader == number);
            drop(reader);
            assert_eq!(upgrading.join().unwrap(), number);
            writing.join().unwrap();
        });
    }
}

#[test]
fn an_upgrade_is_told_of_the_removal_and_gives_the_guard_back() {
    for number in 0..upgrades().len() {
        let place = Place::new();
        let [lock, other] = place.two::<RwLock<u64>>(NAME, 7);
        let reader = other.read().unwrap();
        let guard = lock.upgradable_read().unwrap();
        place.of::<RwLock<u64>>().remove(NAME).unwrap();
        let not = upgrades()[number](guard).expect_err("another reads");
        // An attempt waits for nothing, and says that others are in the way.
        let kind = not.error.map(|error| error.kind());
        assert!(kind.is_none_or(|kind| kind == ErrorKind::Closed), "{kind:?}");
        assert_eq!(*not.guard, 7);
        drop(reader);
    }
}

#[test]
fn a_dead_reader_hinders_no_upgrade() {
    let place = Place::new();
    let lock = place.of::<RwLock<u64>>().create(NAME, 7).unwrap();
    for upgrade in [upgrades()[0], upgrades()[2], upgrades()[3]] {
        for _ in 0..3 {
            let dying = place.of::<RwLock<u64>>().open(NAME).unwrap();
            std::mem::forget(dying.read().unwrap());
        }
        let guard = upgrade(lock.upgradable_read().unwrap()).unwrap();
        assert!(guard.is_consistent());
    }
}
