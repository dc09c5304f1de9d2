//! A condition variable: which waiters continue, with which lock, and how else a wait ends.

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use shmkit::ErrorKind;
use shmkit::memory::Trust;
use shmkit::sync::{AnyLock, Condvar, Guard, LockError, Mutex, ReentrantMutex, RwLock};

use crate::test_dir::{SHORT, TIMEOUT, TestDir, kind, two_handles};

const NAME: &str = "condvar";
const LOCK: &str = "lock";
/// How many threads can wait at a time.
#[cfg(unix)]
const MAX_WAITERS: u32 = 896;

#[test]
fn notify_one_wakes_one_of_three_waiters_and_notify_all_the_others() {
    let dir = TestDir::new();
    let condvar = dir.options::<Condvar>().create(NAME, ()).unwrap();
    let mutex = dir.options::<Mutex<u32>>().create(LOCK, 0).unwrap();
    let woken = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let wait = || {
            let guard = condvar.wait(mutex.lock().unwrap()).unwrap();
            // ORDERING: Relaxed; only counted.
            woken.fetch_add(1, Ordering::Relaxed);
            drop(guard);
        };
        let waiting = [(); 3].map(|()| scope.spawn(wait));
        dir.wait_for_waiters(NAME, 3);
        condvar.notify_one().unwrap();
        dir.wait_for_waiters(NAME, 2);
        while waiting.iter().filter(|it| it.is_finished()).count() < 1 {
            std::thread::yield_now();
        }
        // ORDERING: Relaxed; as above.
        assert_eq!(woken.load(Ordering::Relaxed), 1, "one waiter was notified");
        condvar.notify_all().unwrap();
    });
    condvar.notify_one().unwrap();
    condvar.notify_all().unwrap();
    let (_, result) = condvar.wait_timeout(mutex.lock().unwrap(), SHORT).unwrap();
    assert!(result.timed_out(), "a notification without a waiter is not kept");
}

#[test]
fn each_wait_ends_by_a_notification_or_a_timeout() {
    let (dir, [condvar, other]) = two_handles::<Condvar>(NAME, ());
    let mutex = dir.options::<Mutex<u32>>().create(LOCK, 0).unwrap();
    let (guard, result) = condvar.wait_timeout(mutex.lock().unwrap(), SHORT).unwrap();
    assert!(result.timed_out() && mutex.try_lock().unwrap().is_none(), "with the lock");
    let (guard, result) = condvar.wait_until(guard, Instant::now()).unwrap();
    assert!(result.timed_out());
    let (guard, result) = condvar.wait_timeout_while(guard, SHORT, |value| *value == 0).unwrap();
    assert!(result.timed_out());
    let (guard, result) = condvar.wait_timeout_while(guard, SHORT, |value| *value == 1).unwrap();
    assert!(!result.timed_out(), "the condition was false");
    let past = Instant::now();
    let (guard, result) = condvar.wait_until_while(guard, past, |value| *value == 0).unwrap();
    assert!(result.timed_out());
    let (guard, result) = condvar.wait_until_while(guard, past, |value| *value == 1).unwrap();
    assert!(!result.timed_out(), "the condition was false");
    drop(guard);

    let waits: [fn(&Condvar, &Mutex<u32>, u32); 6] = [
        |condvar, mutex, round| {
            drop(condvar.wait_while(mutex.lock().unwrap(), |it| *it < round).unwrap())
        },
        |condvar, mutex, round| {
            let guard = mutex.lock().unwrap();
            let (guard, result) =
                condvar.wait_timeout_while(guard, TIMEOUT, |it| *it < round).unwrap();
            assert!(!result.timed_out() && *guard == round);
        },
        |condvar, mutex, round| {
            let (guard, deadline) = (mutex.lock().unwrap(), Instant::now() + TIMEOUT);
            let (guard, result) =
                condvar.wait_until_while(guard, deadline, |it| *it < round).unwrap();
            assert!(!result.timed_out() && *guard == round);
        },
        |condvar, mutex, round| assert_eq!(*condvar.wait(mutex.lock().unwrap()).unwrap(), round),
        |condvar, mutex, round| {
            let (guard, result) = condvar.wait_timeout(mutex.lock().unwrap(), TIMEOUT).unwrap();
            assert!(!result.timed_out() && *guard == round);
        },
        |condvar, mutex, round| {
            let deadline = Instant::now() + TIMEOUT;
            let (guard, result) = condvar.wait_until(mutex.lock().unwrap(), deadline).unwrap();
            assert!(!result.timed_out() && *guard == round);
        },
    ];
    for (round, wait) in (1..).zip(waits) {
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| wait(&condvar, &mutex, round));
            dir.wait_for_waiters(NAME, 1);
            *mutex.lock().unwrap() = round;
            other.notify_one().unwrap();
            waiting.join().unwrap();
        });
    }
}

/// Waits with the guard that `lock` acquires, and checks that the lock is free meanwhile and then
/// held as before.
fn check_wait_with<G: Guard + Deref<Target = u32>>(
    dir: &TestDir,
    condvar: &Condvar,
    lock: impl Fn() -> G + Send,
    is_free: impl Fn() -> bool,
    is_held: impl Fn() -> bool + Send,
) {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let guard = condvar.wait(lock()).unwrap();
            assert!(*guard == 7 && is_held());
        });
        dir.wait_for_waiters(NAME, 1);
        assert!(is_free());
        condvar.notify_one().unwrap();
        waiting.join().unwrap();
    });
    assert!(is_free());
}

#[test]
fn a_condvar_waits_with_every_kind_of_guard() {
    let dir = TestDir::new();
    let condvar = dir.options::<Condvar>().create(NAME, ()).unwrap();
    let [lock, other] = dir.two_handles::<RwLock<u32>>("shared", 7);
    let readable = || other.try_read().unwrap().is_some();
    let upgradable = || other.try_upgradable_read().unwrap().is_some();
    let writable = || other.try_write().unwrap().is_some();
    let is_held = || readable() && !writable();
    check_wait_with(&dir, &condvar, || lock.read().unwrap(), writable, is_held);
    let is_held = || readable() && !upgradable();
    check_wait_with(&dir, &condvar, || lock.upgradable_read().unwrap(), writable, is_held);
    check_wait_with(&dir, &condvar, || lock.write().unwrap(), writable, || !readable());
    let [mutex, other] = dir.two_handles::<Mutex<u32>>(LOCK, 7);
    let is_free = || other.try_lock().unwrap().is_some();
    check_wait_with(&dir, &condvar, || mutex.lock().unwrap(), is_free, || !is_free());
}

#[test]
fn a_reentrant_lock_is_released_meanwhile_and_a_nested_one_is_refused() {
    let dir = TestDir::new();
    let condvar = dir.options::<Condvar>().create(NAME, ()).unwrap();
    let [mutex, other] = dir.two_handles::<ReentrantMutex<u32>>(LOCK, 8);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let outer = mutex.lock().unwrap();
            assert_eq!(kind(condvar.wait(mutex.lock().unwrap())), ErrorKind::InvalidArgument);
            assert_eq!((outer.depth(), outer.get()), (1, 8));
            assert!(other.try_lock().unwrap().is_none(), "the outer guard holds the lock");
            let guard = condvar.wait(outer).unwrap();
            assert_eq!((guard.depth(), guard.get()), (1, 9));
        });
        dir.wait_for_waiters(NAME, 1);
        other.try_lock().unwrap().expect("the lock is free").set(9);
        condvar.notify_one().unwrap();
        waiting.join().unwrap();
    });
    assert!(other.try_lock().unwrap().is_some());
}

#[test]
fn two_threads_alternate_and_no_notification_is_lost() {
    const ROUNDS: u32 = 5_000;
    let (_dir, handles) = two_handles::<(Mutex<u32>, [Condvar; 2])>("group", (0, [(), ()]));
    std::thread::scope(|scope| {
        for (side, group) in handles.iter().enumerate() {
            scope.spawn(move || {
                let (mutex, condvars) = &**group;
                for round in 0..ROUNDS {
                    let turn = 2 * round + side as u32;
                    let guard = mutex.lock().unwrap();
                    *condvars[side].wait_while(guard, |value| *value != turn).unwrap() += 1;
                    condvars[1 - side].notify_one().unwrap();
                }
            });
        }
    });
    assert_eq!(*handles[0].0.lock().unwrap(), 2 * ROUNDS);
}

// Not under Wine, which has too few handles.
#[cfg(unix)]
#[test]
fn the_maximum_of_threads_can_wait_and_all_are_notified() {
    let (dir, [condvar, other]) = two_handles::<Condvar>(NAME, ());
    let mutex = dir.options::<Mutex<u32>>().create(LOCK, 0).unwrap();
    std::thread::scope(|scope| {
        let wait = || *condvar.wait_while(mutex.lock().unwrap(), |value| *value == 0).unwrap() += 1;
        for _ in 0..MAX_WAITERS {
            let thread = std::thread::Builder::new().stack_size(64 << 10);
            thread.spawn_scoped(scope, wait).unwrap();
        }
        dir.wait_for_waiters(NAME, MAX_WAITERS);
        let answer = other.wait_timeout(mutex.lock().unwrap(), TIMEOUT);
        assert_eq!(kind(answer), ErrorKind::Full);
        *mutex.try_lock().unwrap().expect("the failed wait released the lock") = 1;
        other.notify_all().unwrap();
    });
    assert_eq!(*mutex.lock().unwrap(), 1 + MAX_WAITERS);
}

#[test]
fn owner_death_is_reported_to_a_waiter_that_reacquires_the_lock() {
    let dir = TestDir::new();
    let condvar = dir.options::<Condvar>().create(NAME, ()).unwrap();
    let [mutex, dying] = dir.two_handles::<Mutex<u32>>(LOCK, 0);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| match condvar.wait(mutex.lock().unwrap()) {
            Err(LockError::OwnerDied(mut guard)) => guard.mark_consistent(),
            other => panic!("{other:?}"),
        });
        dir.wait_for_waiters(NAME, 1);
        std::mem::forget(dying.lock().unwrap());
        drop(dying);
        condvar.notify_one().unwrap();
        waiting.join().unwrap();
    });
    assert!(mutex.lock().unwrap().is_consistent());
}

#[test]
fn removal_of_the_condvar_is_reported_and_releases_the_lock() {
    let dir = TestDir::new();
    let condvar = dir.options::<Condvar>().create(NAME, ()).unwrap();
    let [mutex, other] = dir.two_handles::<Mutex<u32>>(LOCK, 0);
    let wait = || kind(condvar.wait(mutex.lock().unwrap()));
    dir.remove_while_waiting::<Condvar, _>(NAME, [wait]);
    assert!(other.try_lock().unwrap().is_some());
    assert_eq!(kind(condvar.wait(mutex.lock().unwrap())), ErrorKind::Closed);
    assert_eq!(kind(condvar.wait_timeout(mutex.lock().unwrap(), TIMEOUT)), ErrorKind::Closed);
    assert!(other.try_lock().unwrap().is_some());
}

#[test]
fn removal_of_the_lock_is_reported_to_a_waiter() {
    let dir = TestDir::new();
    let condvar = dir.options::<Condvar>().create(NAME, ()).unwrap();
    let mutex = dir.options::<Mutex<u32>>().create(LOCK, 0).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| kind(condvar.wait(mutex.lock().unwrap())));
        dir.wait_for_waiters(NAME, 1);
        dir.options::<Mutex<u32>>().remove(LOCK).unwrap();
        assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
    });
}

/// Waits with `wait` until another thread has made its condition false by `change`.
fn check_condition(
    dir: &TestDir,
    condvar: &Condvar,
    wait: impl FnOnce() + Send,
    change: impl FnOnce(),
) {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(wait);
        dir.wait_for_waiters(NAME, 1);
        condvar.notify_all().unwrap();
        dir.wait_for_waiters(NAME, 1);
        assert!(!waiting.is_finished(), "the condition is still true");
        change();
        condvar.notify_all().unwrap();
        waiting.join().unwrap();
    });
}

#[test]
fn a_condition_sees_the_value_of_every_kind_of_guard() {
    let dir = TestDir::new();
    let condvar = dir.options::<Condvar>().create(NAME, ()).unwrap();
    let [lock, other] = dir.two_handles::<RwLock<u32>>("shared", 0);
    let set = |value| *other.write().unwrap() = value;
    let wait = || drop(condvar.wait_while(lock.read().unwrap(), |it| *it < 1).unwrap());
    check_condition(&dir, &condvar, wait, || set(1));
    let wait = || drop(condvar.wait_while(lock.upgradable_read().unwrap(), |it| *it < 2).unwrap());
    check_condition(&dir, &condvar, wait, || set(2));
    let wait = || {
        let took = |it: &mut u32| std::mem::take(it) == 3;
        drop(condvar.wait_while(lock.write().unwrap(), |it| *it < 3 || !took(it)).unwrap());
    };
    check_condition(&dir, &condvar, wait, || set(3));
    assert_eq!(*other.read().unwrap(), 0, "an exclusive guard lets its condition change the value");

    let [mutex, other] = dir.two_handles::<ReentrantMutex<u32>>(LOCK, 0);
    let wait = || drop(condvar.wait_while(mutex.lock().unwrap(), |it| it < 1).unwrap());
    check_condition(&dir, &condvar, wait, || other.lock().unwrap().set(1));

    let any = AnyLock::open(Some(dir.path()), "shared", Trust::Own).unwrap();
    let waits = AtomicU32::new(1);
    // ORDERING: Relaxed; the lock orders it.
    let is_waiting = |()| waits.load(Ordering::Relaxed) == 1;
    let wait = || drop(condvar.wait_while(any.exclusive().unwrap(), is_waiting).unwrap());
    // ORDERING: Relaxed; as above.
    check_condition(&dir, &condvar, wait, || waits.store(0, Ordering::Relaxed));
}
