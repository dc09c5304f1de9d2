//! A condition: who is let go on, with which lock, and how a wait ends otherwise.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use shmkit::ErrorKind;
use shmkit::sync::{Condvar, LockError, Mutex, ReentrantMutex, RwLock};

use crate::place::{MOMENT, Place, SOON, kind};

const NAME: &str = "more";
const LOCK: &str = "lock";
/// How many can wait at a time.
#[cfg(unix)]
const MOST: u32 = 896;

#[test]
fn one_of_three_goes_on_and_then_all_the_others() {
    let place = Place::new();
    let more = place.of::<Condvar>().create(NAME, ()).unwrap();
    let mutex = place.of::<Mutex<u32>>().create(LOCK, 0).unwrap();
    let gone_on = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let wait = || {
            let guard = more.wait(mutex.lock().unwrap()).unwrap();
            // ORDERING: Relaxed; counted.
            gone_on.fetch_add(1, Ordering::Relaxed);
            drop(guard);
        };
        let waiting = [(); 3].map(|()| scope.spawn(wait));
        place.until_threads_wait(NAME, 3);
        more.notify_one().unwrap();
        place.until_threads_wait(NAME, 2);
        while waiting.iter().filter(|it| it.is_finished()).count() < 1 {
            std::thread::yield_now();
        }
        // ORDERING: Relaxed; as above.
        assert_eq!(gone_on.load(Ordering::Relaxed), 1, "one alone was notified");
        more.notify_all().unwrap();
    });
    more.notify_one().unwrap();
    more.notify_all().unwrap();
    let (_, ended) = more.wait_timeout(mutex.lock().unwrap(), MOMENT).unwrap();
    assert!(ended.timed_out(), "what nobody waited for is not kept");
}

#[test]
fn each_way_to_wait_ends_by_a_notification_or_by_its_time() {
    let place = Place::new();
    let [more, other] = place.two::<Condvar>(NAME, ());
    let mutex = place.of::<Mutex<u32>>().create(LOCK, 0).unwrap();
    let (guard, ended) = more.wait_timeout(mutex.lock().unwrap(), MOMENT).unwrap();
    assert!(ended.timed_out() && mutex.try_lock().unwrap().is_none(), "with the lock");
    let (guard, ended) = more.wait_until(guard, Instant::now()).unwrap();
    assert!(ended.timed_out());
    let (guard, ended) = more.wait_timeout_while(guard, MOMENT, |value| *value == 0).unwrap();
    assert!(ended.timed_out());
    let (guard, ended) = more.wait_timeout_while(guard, MOMENT, |value| *value == 1).unwrap();
    assert!(!ended.timed_out(), "there was nothing to wait for");
    drop(guard);

    let ways: [fn(&Condvar, &Mutex<u32>, u32); 5] = [
        |more, mutex, round| {
            drop(more.wait_while(mutex.lock().unwrap(), |it| *it < round).unwrap())
        },
        |more, mutex, round| {
            let guard = mutex.lock().unwrap();
            let (guard, ended) = more.wait_timeout_while(guard, SOON, |it| *it < round).unwrap();
            assert!(!ended.timed_out() && *guard == round);
        },
        |more, mutex, round| assert_eq!(*more.wait(mutex.lock().unwrap()).unwrap(), round),
        |more, mutex, round| {
            let (guard, ended) = more.wait_timeout(mutex.lock().unwrap(), SOON).unwrap();
            assert!(!ended.timed_out() && *guard == round);
        },
        |more, mutex, round| {
            let soon = Instant::now() + SOON;
            let (guard, ended) = more.wait_until(mutex.lock().unwrap(), soon).unwrap();
            assert!(!ended.timed_out() && *guard == round);
        },
    ];
    for (round, wait) in (1..).zip(ways) {
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| wait(&more, &mutex, round));
            place.until_threads_wait(NAME, 1);
            *mutex.lock().unwrap() = round;
            other.notify_one().unwrap();
            waiting.join().unwrap();
        });
    }
}

/// Waits with the guard that `lock` takes, and checks that the lock is free meanwhile.
fn waits_with<G: shmkit::sync::Guard>(
    place: &Place,
    more: &Condvar,
    lock: impl Fn() -> G + Send,
    is_free: impl Fn() -> bool,
    check: impl Fn(&G) + Send,
) {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let guard = more.wait(lock()).unwrap();
            check(&guard);
        });
        place.until_threads_wait(NAME, 1);
        assert!(is_free());
        more.notify_one().unwrap();
        waiting.join().unwrap();
    });
    assert!(is_free());
}

#[test]
fn it_waits_with_every_lock() {
    let place = Place::new();
    let more = place.of::<Condvar>().create(NAME, ()).unwrap();
    let [lock, other] = place.two::<RwLock<u32>>("shared", 7);
    let is_free = || other.try_write().unwrap().is_some();
    waits_with(
        &place,
        &more,
        || lock.read().unwrap(),
        is_free,
        |guard| {
            assert!(**guard == 7 && other.try_write().unwrap().is_none());
            assert!(other.try_read().unwrap().is_some());
        },
    );
    waits_with(
        &place,
        &more,
        || lock.upgradable_read().unwrap(),
        is_free,
        |guard| {
            assert!(**guard == 7 && other.try_upgradable_read().unwrap().is_none());
            assert!(other.try_read().unwrap().is_some());
        },
    );
    waits_with(
        &place,
        &more,
        || lock.write().unwrap(),
        is_free,
        |guard| {
            assert!(**guard == 7 && other.try_read().unwrap().is_none());
        },
    );
    let [mutex, another] = place.two::<Mutex<u32>>(LOCK, 8);
    let is_free = || another.try_lock().unwrap().is_some();
    waits_with(
        &place,
        &more,
        || mutex.lock().unwrap(),
        is_free,
        |guard| {
            assert!(**guard == 8 && another.try_lock().unwrap().is_none());
        },
    );
}

#[test]
fn a_reentrant_lock_is_free_meanwhile_and_one_taken_twice_is_not_waited_with() {
    let place = Place::new();
    let more = place.of::<Condvar>().create(NAME, ()).unwrap();
    let [mutex, other] = place.two::<ReentrantMutex<u32>>(LOCK, 8);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let outer = mutex.lock().unwrap();
            assert_eq!(kind(more.wait(mutex.lock().unwrap())), ErrorKind::InvalidArgument);
            assert_eq!((outer.depth(), outer.get()), (1, 8));
            assert!(other.try_lock().unwrap().is_none(), "the outer guard has it");
            let guard = more.wait(outer).unwrap();
            assert_eq!((guard.depth(), guard.get()), (1, 9));
        });
        place.until_threads_wait(NAME, 1);
        other.try_lock().unwrap().expect("it is free").set(9);
        more.notify_one().unwrap();
        waiting.join().unwrap();
    });
    assert!(other.try_lock().unwrap().is_some());
}

#[test]
fn two_play_ping_pong_and_no_notification_is_lost() {
    const ROUNDS: u32 = 5_000;
    let place = Place::new();
    let handles = place.two::<(Mutex<u32>, [Condvar; 2])>("table", (0, [(), ()]));
    std::thread::scope(|scope| {
        for (side, table) in handles.iter().enumerate() {
            scope.spawn(move || {
                let (ball, turns) = &**table;
                for round in 0..ROUNDS {
                    let mine = 2 * round + side as u32;
                    let mut ball =
                        turns[side].wait_while(ball.lock().unwrap(), |ball| *ball != mine).unwrap();
                    *ball += 1;
                    drop(ball);
                    turns[1 - side].notify_one().unwrap();
                }
            });
        }
    });
    assert_eq!(*handles[0].0.lock().unwrap(), 2 * ROUNDS);
}

// Wine has not so many handles.
#[cfg(unix)]
#[test]
fn as_many_as_there_is_room_for_wait_and_all_of_them_go_on() {
    let place = Place::new();
    let [more, other] = place.two::<Condvar>(NAME, ());
    let mutex = place.of::<Mutex<u32>>().create(LOCK, 0).unwrap();
    std::thread::scope(|scope| {
        let wait = || *more.wait_while(mutex.lock().unwrap(), |value| *value == 0).unwrap() += 1;
        for _ in 0..MOST {
            let thread = std::thread::Builder::new().stack_size(64 << 10);
            thread.spawn_scoped(scope, wait).unwrap();
        }
        place.until_threads_wait(NAME, MOST);
        let answer = other.wait_timeout(mutex.lock().unwrap(), SOON);
        assert_eq!(kind(answer), ErrorKind::Full);
        *mutex.try_lock().unwrap().expect("it was given up") = 1;
        other.notify_all().unwrap();
    });
    assert_eq!(*mutex.lock().unwrap(), 1 + MOST);
}

#[test]
fn a_death_with_the_lock_is_told_to_who_takes_it_again() {
    let place = Place::new();
    let more = place.of::<Condvar>().create(NAME, ()).unwrap();
    let [mutex, dying] = place.two::<Mutex<u32>>(LOCK, 0);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| match more.wait(mutex.lock().unwrap()) {
            Err(LockError::OwnerDied(mut guard)) => guard.mark_consistent(),
            other => panic!("{other:?}"),
        });
        place.until_threads_wait(NAME, 1);
        std::mem::forget(dying.lock().unwrap());
        drop(dying);
        more.notify_one().unwrap();
        waiting.join().unwrap();
    });
    assert!(mutex.lock().unwrap().is_consistent());
}

#[test]
fn removal_of_the_condition_is_told_and_gives_the_lock_up() {
    let place = Place::new();
    let more = place.of::<Condvar>().create(NAME, ()).unwrap();
    let [mutex, other] = place.two::<Mutex<u32>>(LOCK, 0);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| kind(more.wait(mutex.lock().unwrap())));
        place.until_threads_wait(NAME, 1);
        place.of::<Condvar>().remove(NAME).unwrap();
        assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
    });
    assert!(other.try_lock().unwrap().is_some());
    assert_eq!(kind(more.wait(mutex.lock().unwrap())), ErrorKind::Closed);
    assert_eq!(kind(more.wait_timeout(mutex.lock().unwrap(), SOON)), ErrorKind::Closed);
    assert!(other.try_lock().unwrap().is_some());
}

#[test]
fn removal_of_the_lock_is_told_to_who_waits_with_it() {
    let place = Place::new();
    let more = place.of::<Condvar>().create(NAME, ()).unwrap();
    let mutex = place.of::<Mutex<u32>>().create(LOCK, 0).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| kind(more.wait(mutex.lock().unwrap())));
        place.until_threads_wait(NAME, 1);
        place.of::<Mutex<u32>>().remove(LOCK).unwrap();
        assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
    });
}
