//! A mutex that its owner can lock again.

use std::time::Instant;

use shmkit::ErrorKind;
use shmkit::sync::{LockError, ReentrantGuard, ReentrantMutex};

use crate::test_dir::{SHORT, TIMEOUT, assert_error, kind, this_process, two_handles};

const NAME: &str = "lock";

#[test]
fn the_owner_can_lock_again_in_each_way_and_the_last_guard_releases() {
    let (_dir, [mutex, other]) = two_handles::<ReentrantMutex<u64>>(NAME, 0);
    let is_free = || {
        std::thread::scope(|scope| {
            let attempt = scope.spawn(|| mutex.try_lock().unwrap().is_some());
            attempt.join().unwrap() && other.try_lock().unwrap().is_some()
        })
    };
    assert!(is_free());
    let mut first = mutex.lock().unwrap();
    let mut guards = vec![
        mutex.lock().unwrap(),
        mutex.try_lock().unwrap().expect("this thread is the owner"),
        mutex.lock_timeout(SHORT).unwrap(),
        mutex.lock_until(Instant::now()).unwrap(),
    ];
    assert_eq!((first.depth(), guards[0].depth()), (5, 5));
    first.set(1);
    let value = guards[1].get();
    guards[2].set(value + 1);
    assert_eq!(first.get(), 2);
    drop(first);
    while let Some(guard) = guards.pop() {
        assert!(!is_free());
        drop(guard);
    }
    assert!(is_free());
    assert_eq!(other.lock().unwrap().get(), 2);
}

#[test]
fn other_threads_and_handles_are_excluded_and_a_timeout_error_names_the_holder() {
    let (dir, [mutex, other]) = two_handles::<ReentrantMutex<u64>>(NAME, 0);
    let guard = mutex.lock().unwrap();
    assert_error(other.lock_timeout(SHORT), ErrorKind::TimedOut, &this_process());
    std::thread::scope(|scope| {
        let attempt =
            || assert_error(mutex.lock_until(Instant::now() + SHORT), ErrorKind::TimedOut, "");
        scope.spawn(attempt).join().unwrap();
        let waiting = scope.spawn(|| mutex.lock().unwrap().depth());
        dir.wait_for_waiters(NAME, 1);
        drop(guard);
        assert_eq!(waiting.join().unwrap(), 1);
    });
}

/// If the guard were `Send`, both implementations would apply, and this would not compile.
#[test]
fn a_guard_is_not_send() {
    trait NotSend<A> {
        fn holds() {}
    }
    impl<T> NotSend<()> for T {}
    impl<T: Send> NotSend<u8> for T {}
    <ReentrantGuard<'_, u64> as NotSend<_>>::holds();
}

#[test]
fn no_increment_is_lost_with_nested_guards() {
    const STEPS: u64 = 10_000;
    let (_dir, handles) = two_handles::<ReentrantMutex<u64>>(NAME, 0);
    std::thread::scope(|scope| {
        for mutex in [&handles[0], &handles[0], &handles[1]] {
            scope.spawn(move || {
                for _ in 0..STEPS {
                    let outer = mutex.lock().unwrap();
                    let mut inner = mutex.lock().unwrap();
                    inner.set(outer.get() + 1);
                }
            });
        }
    });
    assert_eq!(handles[0].lock().unwrap().get(), 3 * STEPS);
}

#[test]
fn owner_death_is_reported_until_marked_consistent() {
    let (_dir, [mutex, dying]) = two_handles::<ReentrantMutex<u64>>(NAME, 3);
    std::mem::forget((dying.lock().unwrap(), dying.lock().unwrap()));
    drop(dying);
    let Err(LockError::OwnerDied(first)) = mutex.lock() else { panic!("no owner death") };
    let mut second = mutex.lock().expect("reported once to this thread");
    assert!(!first.is_consistent() && second.depth() == 2);
    second.mark_consistent();
    assert!(first.is_consistent());
    drop((first, second));
    assert_eq!(mutex.lock().unwrap().get(), 3);
}

#[test]
fn removal_is_reported_to_all_threads_but_the_owner() {
    let (dir, [mutex, other]) = two_handles::<ReentrantMutex<u64>>(NAME, 3);
    let guard = mutex.lock().unwrap();
    dir.options::<ReentrantMutex<u64>>().remove(NAME).unwrap();
    assert_eq!(kind(other.lock()), ErrorKind::Closed);
    assert_eq!(kind(other.try_lock()), ErrorKind::Closed);
    assert_eq!(kind(other.lock_timeout(TIMEOUT)), ErrorKind::Closed);
    assert_eq!(mutex.lock().unwrap().depth(), 2);
    drop(guard);
    assert_eq!(kind(mutex.lock()), ErrorKind::Closed);
}
