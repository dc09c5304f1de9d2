//! A mutex: each way to take it, who is told what, and its end.

use std::time::{Duration, Instant};

use shmkit::sync::{LockError, LockResult, Mutex, MutexGuard};
use shmkit::{Error, ErrorKind};

use crate::place::{MOMENT, Place, SOON, kind, refused, this_process};

const NAME: &str = "lock";

type Lock = fn(&Mutex<u64>) -> LockResult<MutexGuard<'_, u64>>;

/// Every way to take it.
const WAYS: [Lock; 4] = [
    |mutex| mutex.lock(),
    |mutex| match mutex.try_lock() {
        Ok(guard) => Ok(guard.expect("it is free")),
        Err(LockError::OwnerDied(guard)) => Err(LockError::OwnerDied(guard.expect("it is free"))),
        Err(error) => Err(Error::from(error).into()),
    },
    |mutex| mutex.lock_timeout(SOON),
    |mutex| mutex.lock_until(Instant::now() + SOON),
];

#[test]
fn each_way_takes_it_alone_and_gives_the_value() {
    let place = Place::new();
    let [mutex, other] = place.two::<Mutex<u64>>(NAME, 10);
    for (number, lock) in (11..).zip(WAYS) {
        let mut guard = lock(&mutex).unwrap();
        *guard += 1;
        assert_eq!((*guard, format!("{guard:?}")), (number, number.to_string()));
        assert!(guard.is_consistent());
        assert!(other.try_lock().unwrap().is_none());
        assert!(mutex.try_lock().unwrap().is_none(), "nor does the same thread get it twice");
        drop(guard);
        assert_eq!(*lock(&other).unwrap(), number);
    }
}

#[test]
fn who_has_it_is_named_when_the_time_is_over() {
    let place = Place::new();
    let [mutex, other] = place.two::<Mutex<u64>>(NAME, 0);
    let guard = other.lock().unwrap();
    let holder = this_process();
    for answer in [
        mutex.lock_timeout(MOMENT),
        mutex.lock_timeout(Duration::ZERO),
        mutex.lock_until(Instant::now() + 60 * MOMENT),
        mutex.lock_until(Instant::now()),
    ] {
        refused(answer, ErrorKind::TimedOut, &holder);
    }
    refused(mutex.lock_timeout(MOMENT), ErrorKind::TimedOut, "in slot 1, had it for all the time");
    refused(mutex.lock_timeout(MOMENT), ErrorKind::TimedOut, r#"cannot lock "lock": "#);
    drop(guard);
    drop(mutex.lock_timeout(Duration::ZERO).expect("it is free"));
    drop(mutex.lock_until(Instant::now()).expect("it is free"));
    drop(mutex.lock_timeout(Duration::MAX).expect("as long as it takes"));
}

#[test]
fn a_waiter_gets_what_is_given_back() {
    let place = Place::new();
    let [mutex, other] = place.two::<Mutex<u64>>(NAME, 0);
    for lock in [WAYS[0], WAYS[2], WAYS[3]] {
        let mut guard = mutex.lock().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| *lock(&other).unwrap());
            place.until_threads_wait(NAME, 1);
            *guard += 1;
            let value = *guard;
            drop(guard);
            assert_eq!(waiting.join().unwrap(), value);
        });
        place.until_threads_wait(NAME, 0);
    }
}

#[test]
fn threads_of_one_handle_and_of_several_lose_no_step() {
    const STEPS: u64 = 20_000;
    let place = Place::new();
    let handles = place.two::<Mutex<[u64; 2]>>(NAME, [0, 0]);
    std::thread::scope(|scope| {
        for mutex in [&handles[0], &handles[0], &handles[1]] {
            scope.spawn(|| {
                for step in 0..STEPS {
                    let mut guard = match step % 3 {
                        0 => mutex.lock().unwrap(),
                        1 => mutex.lock_timeout(SOON).unwrap(),
                        _ => match mutex.try_lock().unwrap() {
                            Some(guard) => guard,
                            None => mutex.lock().unwrap(),
                        },
                    };
                    assert_eq!(guard[0], guard[1], "half of another's step");
                    guard[0] += 1;
                    guard[1] += 1;
                }
            });
        }
    });
    assert_eq!(*handles[1].lock().unwrap(), [3 * STEPS, 3 * STEPS]);
}

/// Takes it, and lets the handle go without giving it back: as good as dead.
fn die_with_it(place: &Place) {
    let mutex = place.of::<Mutex<u64>>().open(NAME).unwrap();
    let guard = mutex.lock().or_else(LockError::into_guard).unwrap();
    std::mem::forget(guard);
}

#[test]
fn a_holder_s_end_is_told_to_all_until_one_says_that_it_is_mended() {
    let place = Place::new();
    let [mutex, other] = place.two::<Mutex<u64>>(NAME, 7);
    for lock in WAYS {
        die_with_it(&place);
        let Err(LockError::OwnerDied(guard)) = other.lock() else { panic!("not told") };
        assert_eq!(*guard, 7);
        assert!(!guard.is_consistent());
        drop(guard);
        let error = lock(&mutex).unwrap_err();
        assert_eq!(format!("{error:?}"), "OwnerDied(..)");
        assert_eq!(error.to_string(), "a process died while it held the lock");
        let error = Error::from(error);
        assert_eq!(error.kind(), ErrorKind::OwnerDied);
        assert!(error.to_string().starts_with(r#"cannot lock "lock": a process died"#), "{error}");
        let mut guard = lock(&mutex).unwrap_err().into_guard().expect("converting gave it back");
        guard.mark_consistent();
        assert!(guard.is_consistent());
        drop(guard);
        assert_eq!(*lock(&other).unwrap(), 7);
    }
}

#[test]
fn putting_another_value_in_its_place_mends_it() {
    let place = Place::new();
    let [mutex, other] = place.two::<Mutex<u64>>(NAME, 7);
    die_with_it(&place);
    let guard = mutex.lock_replacing(8).unwrap();
    assert!(*guard == 8 && guard.is_consistent());
    assert!(other.try_lock().unwrap().is_none());
    drop(guard);
    assert_eq!(*other.lock().unwrap(), 8);
}

#[test]
fn removal_is_told_to_holder_waiter_and_all_who_come() {
    let place = Place::new();
    let [mutex, other] = place.two::<Mutex<u64>>(NAME, 7);
    let mut guard = mutex.lock().unwrap();
    std::thread::scope(|scope| {
        let waiting = WAYS[2..].iter().chain([&WAYS[0]]);
        let waiting: Vec<_> =
            waiting.map(|lock| scope.spawn(|| kind(lock(&other).map(drop)))).collect();
        place.until_threads_wait(NAME, 3);
        place.of::<Mutex<u64>>().remove(NAME).unwrap();
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
        }
    });
    *guard += 1;
    assert_eq!(*guard, 8, "who has it keeps it");
    drop(guard);
    for lock in WAYS {
        refused(lock(&mutex), ErrorKind::Closed, "the object was removed");
    }
    assert_eq!(kind(mutex.lock_replacing(1)), ErrorKind::Closed);
    let next = place.of::<Mutex<u64>>().create(NAME, 1).expect("the name is free");
    assert_eq!(*next.lock().unwrap(), 1);
}

#[test]
fn one_without_a_value_is_a_lock_alone() {
    let place = Place::new();
    let [mutex, other] = place.two::<Mutex>(NAME, Default::default());
    let guard = mutex.lock().unwrap();
    assert!(other.try_lock().unwrap().is_none());
    drop(guard);
    assert!(other.try_lock().unwrap().is_some());
}
