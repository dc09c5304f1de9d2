//! A mutex: each way to lock it, errors, owner death and removal.

use std::time::{Duration, Instant};

use shmkit::sync::{LockError, LockResult, Mutex, MutexGuard};
use shmkit::{Error, ErrorKind};

use crate::test_dir::{SHORT, TIMEOUT, TestDir, assert_error, kind, this_process, two_handles};

const NAME: &str = "lock";

type Lock = fn(&Mutex<u64>) -> LockResult<MutexGuard<'_, u64>>;

/// Every method that locks.
const LOCKS: [Lock; 4] = [
    |mutex| mutex.lock(),
    |mutex| match mutex.try_lock() {
        Ok(guard) => Ok(guard.expect("the lock is free")),
        Err(LockError::OwnerDied(guard)) => {
            Err(LockError::OwnerDied(guard.expect("the lock is free")))
        }
        Err(error) => Err(Error::from(error).into()),
    },
    |mutex| mutex.lock_timeout(TIMEOUT),
    |mutex| mutex.lock_until(Instant::now() + TIMEOUT),
];

#[test]
fn each_way_to_lock_excludes_others_and_gives_the_value() {
    let (_dir, [mutex, other]) = two_handles::<Mutex<u64>>(NAME, 10);
    for (number, lock) in (11..).zip(LOCKS) {
        let mut guard = lock(&mutex).unwrap();
        *guard += 1;
        assert_eq!((*guard, format!("{guard:?}")), (number, number.to_string()));
        assert!(guard.is_consistent());
        assert!(other.try_lock().unwrap().is_none());
        assert!(mutex.try_lock().unwrap().is_none(), "the owner cannot lock twice");
        drop(guard);
        assert_eq!(*lock(&other).unwrap(), number);
    }
}

#[test]
fn a_timeout_error_names_the_holder() {
    let (_dir, [mutex, other]) = two_handles::<Mutex<u64>>(NAME, 0);
    let guard = other.lock().unwrap();
    let holder = this_process();
    for answer in [
        mutex.lock_timeout(SHORT),
        mutex.lock_timeout(Duration::ZERO),
        mutex.lock_until(Instant::now() + 60 * SHORT),
        mutex.lock_until(Instant::now()),
    ] {
        assert_error(answer, ErrorKind::TimedOut, &holder);
    }
    assert_error(
        mutex.lock_timeout(SHORT),
        ErrorKind::TimedOut,
        "in slot 1 held it until the timeout",
    );
    assert_error(mutex.lock_timeout(SHORT), ErrorKind::TimedOut, r#"cannot lock "lock": "#);
    drop(guard);
    drop(mutex.lock_timeout(Duration::ZERO).expect("the lock is free"));
    drop(mutex.lock_until(Instant::now()).expect("the lock is free"));
    drop(mutex.lock_timeout(Duration::MAX).expect("no limit"));
}

#[test]
fn a_waiter_acquires_a_released_lock() {
    let (dir, [mutex, other]) = two_handles::<Mutex<u64>>(NAME, 0);
    for lock in [LOCKS[0], LOCKS[2], LOCKS[3]] {
        let mut guard = mutex.lock().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| *lock(&other).unwrap());
            dir.wait_for_waiters(NAME, 1);
            *guard += 1;
            let value = *guard;
            drop(guard);
            assert_eq!(waiting.join().unwrap(), value);
        });
        dir.wait_for_waiters(NAME, 0);
    }
}

#[test]
fn no_increment_is_lost_between_threads_and_handles() {
    const STEPS: u64 = 20_000;
    let (_dir, handles) = two_handles::<Mutex<[u64; 2]>>(NAME, [0, 0]);
    std::thread::scope(|scope| {
        for mutex in [&handles[0], &handles[0], &handles[1]] {
            scope.spawn(|| {
                for step in 0..STEPS {
                    let mut guard = match step % 3 {
                        0 => mutex.lock().unwrap(),
                        1 => mutex.lock_timeout(TIMEOUT).unwrap(),
                        _ => match mutex.try_lock().unwrap() {
                            Some(guard) => guard,
                            None => mutex.lock().unwrap(),
                        },
                    };
                    assert_eq!(guard[0], guard[1], "another thread is in the critical section");
                    guard[0] += 1;
                    guard[1] += 1;
                }
            });
        }
    });
    assert_eq!(*handles[1].lock().unwrap(), [3 * STEPS, 3 * STEPS]);
}

/// Drops a handle that holds the lock, as its process's death does.
fn die_as_owner(dir: &TestDir) {
    let mutex = dir.options::<Mutex<u64>>().open(NAME).unwrap();
    let guard = mutex.lock().or_else(LockError::into_guard).unwrap();
    std::mem::forget(guard);
}

#[test]
fn owner_death_is_reported_until_marked_consistent() {
    let (dir, [mutex, other]) = two_handles::<Mutex<u64>>(NAME, 7);
    for lock in LOCKS {
        die_as_owner(&dir);
        let Err(LockError::OwnerDied(guard)) = other.lock() else { panic!("no owner death") };
        assert_eq!(*guard, 7);
        assert!(!guard.is_consistent());
        drop(guard);
        let error = lock(&mutex).unwrap_err();
        assert_eq!(format!("{error:?}"), "OwnerDied(..)");
        assert_eq!(error.to_string(), "a process died while it held the lock");
        let error = Error::from(error);
        assert_eq!(error.kind(), ErrorKind::OwnerDied);
        assert!(error.to_string().starts_with(r#"cannot lock "lock": a process died"#), "{error}");
        let mut guard =
            lock(&mutex).unwrap_err().into_guard().expect("converting the error released the lock");
        guard.mark_consistent();
        assert!(guard.is_consistent());
        drop(guard);
        assert_eq!(*lock(&other).unwrap(), 7);
    }
}

#[test]
fn replacing_the_value_makes_it_consistent() {
    let (dir, [mutex, other]) = two_handles::<Mutex<u64>>(NAME, 7);
    die_as_owner(&dir);
    let guard = mutex.lock_replacing(8).unwrap();
    assert!(*guard == 8 && guard.is_consistent());
    assert!(other.try_lock().unwrap().is_none());
    drop(guard);
    assert_eq!(*other.lock().unwrap(), 8);
}

#[test]
fn removal_is_reported_to_waiters_and_later_callers() {
    let (dir, [mutex, other]) = two_handles::<Mutex<u64>>(NAME, 7);
    let mut guard = mutex.lock().unwrap();
    let locks = LOCKS[2..].iter().chain([&LOCKS[0]]);
    let waits = locks.map(|lock| || kind(lock(&other).map(drop)));
    dir.remove_while_waiting::<Mutex<u64>, _>(NAME, waits);
    *guard += 1;
    assert_eq!(*guard, 8, "the holder keeps the lock");
    drop(guard);
    for lock in LOCKS {
        assert_error(lock(&mutex), ErrorKind::Closed, "the object was removed");
    }
    assert_eq!(kind(mutex.lock_replacing(1)), ErrorKind::Closed);
    let next = dir.options::<Mutex<u64>>().create(NAME, 1).expect("the name is free");
    assert_eq!(*next.lock().unwrap(), 1);
}

#[test]
fn a_mutex_without_a_value_excludes() {
    let (_dir, [mutex, other]) = two_handles::<Mutex>(NAME, Default::default());
    let guard = mutex.lock().unwrap();
    assert!(other.try_lock().unwrap().is_none());
    drop(guard);
    assert!(other.try_lock().unwrap().is_some());
}

#[test]
fn a_mutex_that_is_created_locked_is_for_the_first_locker_of_its_handle() {
    for lock in LOCKS {
        let dir = TestDir::new();
        let options = dir.options::<Mutex<u64>>();
        let mutex = options.create_locked(NAME, 1).unwrap();
        let other = options.open(NAME).unwrap();
        assert!(mutex.was_created() && !other.was_created());
        assert!(other.try_lock().unwrap().is_none());
        let mut guard = lock(&mutex).unwrap();
        assert_eq!((*guard, guard.is_consistent()), (1, true));
        *guard = 2;
        assert!(mutex.try_lock().unwrap().is_none() && other.try_lock().unwrap().is_none());
        drop(guard);
        assert_eq!(*lock(&other).unwrap(), 2);
        assert_eq!(*lock(&mutex).unwrap(), 2, "it was set aside once");
    }
}

#[test]
fn two_threads_do_not_both_get_what_was_set_aside() {
    for _ in 0..100 {
        let dir = TestDir::new();
        let mutex = dir.options::<Mutex<u64>>().create_locked(NAME, 1).unwrap();
        let attempt = || mutex.try_lock().unwrap().map(std::mem::forget).is_some();
        let gets = std::thread::scope(|scope| {
            let threads = [scope.spawn(attempt), scope.spawn(attempt)];
            threads.map(|thread| thread.join().unwrap())
        });
        assert_ne!(gets[0], gets[1]);
    }
}

#[test]
fn no_opener_acquires_a_mutex_before_the_creator_that_created_it_locked() {
    let dir = TestDir::new();
    let options = dir.options::<Mutex<u64>>();
    for round in 0..300 {
        let name = format!("{NAME} {round}");
        let open_first = || loop {
            match options.open(&name) {
                Ok(mutex) => return mutex.try_lock().unwrap().is_some(),
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
            }
        };
        std::thread::scope(|scope| {
            let opener = scope.spawn(open_first);
            let _mutex = options.create_locked(&name, 0).unwrap();
            assert!(!opener.join().unwrap(), "the opener was first in round {round}");
        });
    }
}

#[test]
fn a_mutex_that_was_created_locked_is_released_with_its_handle() {
    let dir = TestDir::new();
    let options = dir.options::<Mutex<u64>>();
    let mutex = options.create_locked(NAME, 5).unwrap();
    let other = options.open(NAME).unwrap();
    assert_eq!(kind(options.create_locked(NAME, 6)), ErrorKind::AlreadyExists);
    drop(mutex);
    assert_eq!(*other.lock().unwrap(), 5);
}
