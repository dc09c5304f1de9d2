//! A mutex that the thread which has it may take again.

use std::time::Instant;

use shmkit::ErrorKind;
use shmkit::sync::{LockError, ReentrantGuard, ReentrantMutex};

use crate::place::{MOMENT, Place, SOON, kind, refused, this_process};

const NAME: &str = "lock";

#[test]
fn a_thread_takes_it_again_in_each_way_and_it_is_free_when_all_guards_are_gone() {
    let place = Place::new();
    let [mutex, other] = place.two::<ReentrantMutex<u64>>(NAME, 0);
    let is_free = || {
        std::thread::scope(|scope| {
            let tried = scope.spawn(|| mutex.try_lock().unwrap().is_some());
            tried.join().unwrap() && other.try_lock().unwrap().is_some()
        })
    };
    assert!(is_free());
    let mut first = mutex.lock().unwrap();
    let mut guards = vec![
        mutex.lock().unwrap(),
        mutex.try_lock().unwrap().expect("it is this thread's"),
        mutex.lock_timeout(MOMENT).unwrap(),
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
fn another_thread_and_another_handle_are_refused_and_told_who_has_it() {
    let place = Place::new();
    let [mutex, other] = place.two::<ReentrantMutex<u64>>(NAME, 0);
    let guard = mutex.lock().unwrap();
    refused(other.lock_timeout(MOMENT), ErrorKind::TimedOut, &this_process());
    std::thread::scope(|scope| {
        let refuse = || refused(mutex.lock_until(Instant::now() + MOMENT), ErrorKind::TimedOut, "");
        scope.spawn(refuse).join().unwrap();
        let waiting = scope.spawn(|| mutex.lock().unwrap().depth());
        place.until_threads_wait(NAME, 1);
        drop(guard);
        assert_eq!(waiting.join().unwrap(), 1);
    });
}

/// Which of the two is meant cannot be told where both hold: then this does not compile.
#[test]
fn a_guard_stays_in_its_thread() {
    trait NotSend<A> {
        fn holds() {}
    }
    impl<T> NotSend<()> for T {}
    impl<T: Send> NotSend<u8> for T {}
    <ReentrantGuard<'_, u64> as NotSend<_>>::holds();
}

#[test]
fn threads_that_nest_lose_no_step() {
    const STEPS: u64 = 10_000;
    let place = Place::new();
    let handles = place.two::<ReentrantMutex<u64>>(NAME, 0);
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
fn a_holder_s_end_is_told_until_it_is_mended() {
    let place = Place::new();
    let [mutex, dying] = place.two::<ReentrantMutex<u64>>(NAME, 3);
    std::mem::forget((dying.lock().unwrap(), dying.lock().unwrap()));
    drop(dying);
    let Err(LockError::OwnerDied(first)) = mutex.lock() else { panic!("not told") };
    let mut second = mutex.lock().expect("told the thread already");
    assert!(!first.is_consistent() && second.depth() == 2);
    second.mark_consistent();
    assert!(first.is_consistent());
    drop((first, second));
    assert_eq!(mutex.lock().unwrap().get(), 3);
}

#[test]
fn removal_is_told_to_all_but_the_thread_that_has_it() {
    let place = Place::new();
    let [mutex, other] = place.two::<ReentrantMutex<u64>>(NAME, 3);
    let guard = mutex.lock().unwrap();
    place.of::<ReentrantMutex<u64>>().remove(NAME).unwrap();
    assert_eq!(kind(other.lock()), ErrorKind::Closed);
    assert_eq!(kind(other.try_lock()), ErrorKind::Closed);
    assert_eq!(kind(other.lock_timeout(SOON)), ErrorKind::Closed);
    assert_eq!(mutex.lock().unwrap().depth(), 2);
    drop(guard);
    assert_eq!(kind(mutex.lock()), ErrorKind::Closed);
}
