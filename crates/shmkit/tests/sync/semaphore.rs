//! A semaphore: permits that return, and permits that do not.

use std::time::{Duration, Instant};

use shmkit::sync::{Permit, Semaphore};
use shmkit::{ErrorKind, Result};

use crate::test_dir::{SHORT, TIMEOUT, TestDir, assert_error, kind, two_handles};

const NAME: &str = "places";
/// The maximum of permits that one participant can hold.
const MAX_HELD: u32 = 15_000;

type Acquire = fn(&Semaphore) -> Result<Permit<'_>>;
type Consume = fn(&Semaphore) -> Result<()>;

/// Every method that acquires a permit.
const ACQUIRES: [Acquire; 4] = [
    |semaphore| semaphore.acquire(),
    |semaphore| semaphore.acquire_timeout(TIMEOUT),
    |semaphore| semaphore.acquire_until(Instant::now() + TIMEOUT),
    |semaphore| Ok(semaphore.try_acquire()?.expect("a permit is available")),
];

/// Every method that consumes a permit.
const CONSUMES: [Consume; 3] = [
    |semaphore| semaphore.consume(),
    |semaphore| semaphore.consume_timeout(TIMEOUT),
    |semaphore| semaphore.try_consume().map(|consumed| assert!(consumed, "a permit is available")),
];

#[track_caller]
fn assert_exhausted(semaphore: &Semaphore) {
    assert_eq!(semaphore.available(), 0);
    assert!(semaphore.try_acquire().unwrap().is_none());
    assert!(!semaphore.try_consume().unwrap());
    for time in [SHORT, Duration::ZERO] {
        assert_error(
            semaphore.acquire_timeout(time),
            ErrorKind::TimedOut,
            r#"a permit of "places": "#,
        );
        assert_eq!(kind(semaphore.acquire_until(Instant::now() + time)), ErrorKind::TimedOut);
        assert_eq!(kind(semaphore.consume_timeout(time)), ErrorKind::TimedOut);
    }
}

#[test]
fn one_permit_excludes_as_a_mutex_does() {
    const STEPS: u64 = 3_000;
    let (_dir, handles) = two_handles::<Semaphore>(NAME, 1);
    for acquire in ACQUIRES {
        let permit = acquire(&handles[0]).unwrap();
        assert_exhausted(&handles[1]);
        drop(permit);
        assert_eq!(handles[1].available(), 1);
    }
    let steps = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for semaphore in [&handles[0], &handles[0], &handles[1]] {
            scope.spawn(|| {
                // ORDERING: Relaxed; the semaphore orders the accesses.
                let order = std::sync::atomic::Ordering::Relaxed;
                for _ in 0..STEPS {
                    let permit = semaphore.acquire().unwrap();
                    let seen = steps.load(order);
                    steps.store(seen + 1, order);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!(steps.into_inner(), 3 * STEPS);
}

#[test]
fn a_hundred_permits_are_acquired_and_released() {
    let (_dir, handles) = two_handles::<Semaphore>(NAME, 100);
    for round in 0..ACQUIRES.len() {
        let mut permits: Vec<_> = (0..100)
            .map(|number| ACQUIRES[(round + number) % 4](&handles[number % 2]).unwrap())
            .collect();
        assert_exhausted(&handles[0]);
        drop(permits.pop());
        assert_eq!(handles[1].available(), 1);
        permits.push(handles[1].acquire().unwrap());
        assert_exhausted(&handles[1]);
    }
    assert_eq!(handles[0].available(), 100);
}

#[test]
fn consumed_and_forgotten_permits_do_not_return_and_posted_ones_are_new() {
    let (_dir, [semaphore, other]) = two_handles::<Semaphore>(NAME, 0);
    assert_exhausted(&semaphore);
    assert_eq!(other.post(0).unwrap(), 0);
    assert_exhausted(&semaphore);
    for consume in CONSUMES {
        other.post(1).unwrap();
        consume(&semaphore).unwrap();
        assert_exhausted(&semaphore);
    }
    for acquire in ACQUIRES {
        other.post(1).unwrap();
        acquire(&semaphore).unwrap().forget();
        assert_exhausted(&other);
    }
    assert_eq!(other.post(2).unwrap(), 0);
    assert_eq!(other.post(3).unwrap(), 2, "the number before");
    assert_eq!((other.post(0).unwrap(), semaphore.available()), (5, 5));
    let kept = semaphore.acquire().unwrap();
    semaphore.acquire().unwrap().forget();
    semaphore.consume().unwrap();
    drop(kept);
    assert_eq!(other.available(), 3);
}

#[test]
fn each_wait_ends_by_a_released_or_posted_permit() {
    let (dir, [semaphore, other]) = two_handles::<Semaphore>(NAME, 1);
    for acquire in &ACQUIRES[..3] {
        let permit = semaphore.acquire().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(acquire(&other).unwrap()));
            dir.wait_for_waiters(NAME, 1);
            assert!(!waiting.is_finished());
            drop(permit);
        });
    }
    semaphore.consume().unwrap();
    for consume in &CONSUMES[..2] {
        std::thread::scope(|scope| {
            let waiting = [(); 3].map(|()| scope.spawn(|| consume(&other).unwrap()));
            dir.wait_for_waiters(NAME, 3);
            semaphore.post(2).unwrap();
            dir.wait_for_waiters(NAME, 1);
            while waiting.iter().filter(|it| it.is_finished()).count() < 2 {
                std::thread::yield_now();
            }
            assert_eq!(semaphore.available(), 0);
            semaphore.post(1).unwrap();
        });
        assert_exhausted(&semaphore);
    }
}

#[test]
fn no_permit_is_lost_or_created_between_post_and_consume() {
    const PERMITS: u32 = 6_000;
    let (_dir, handles) = two_handles::<Semaphore>(NAME, 0);
    std::thread::scope(|scope| {
        for semaphore in &handles {
            scope.spawn(|| (0..PERMITS / 3).for_each(|_| _ = semaphore.post(3).unwrap()));
            scope.spawn(|| (0..PERMITS / 2).for_each(|_| semaphore.consume().unwrap()));
            scope.spawn(|| {
                (0..PERMITS / 2).for_each(|_| semaphore.acquire_timeout(TIMEOUT).unwrap().forget());
            });
        }
    });
    assert_exhausted(&handles[0]);
}

#[test]
fn permits_of_a_dead_handle_return() {
    let dir = TestDir::new();
    let semaphore = dir.options::<Semaphore>().create(NAME, 3).unwrap();
    for acquire in ACQUIRES {
        let dying = dir.options::<Semaphore>().open(NAME).unwrap();
        std::mem::forget([(); 3].map(|()| dying.acquire().unwrap()));
        assert_exhausted(&semaphore);
        drop(dying);
        let permits = [(); 3].map(|()| match semaphore.try_acquire().unwrap() {
            Some(permit) => permit,
            // A handle checks for deaths at most once in 25 ms.
            None => acquire_after_check(&semaphore, acquire),
        });
        assert_exhausted(&semaphore);
        drop(permits);
        assert_eq!(semaphore.available(), 3);
    }
}

/// Acquires a permit of a dead handle, for which the attempts of `try_acquire` are repeated until the
/// next check for deaths.
fn acquire_after_check(semaphore: &Semaphore, acquire: Acquire) -> Permit<'_> {
    loop {
        if semaphore.available() > 0 || acquire as usize != ACQUIRES[3] as usize {
            return acquire(semaphore).unwrap();
        }
        if let Some(permit) = semaphore.try_acquire().unwrap() {
            return permit;
        }
    }
}

#[test]
fn only_permits_that_a_dead_handle_held_return() {
    let (_dir, [semaphore, dying]) = two_handles::<Semaphore>(NAME, 3);
    dying.consume().unwrap();
    dying.acquire().unwrap().forget();
    std::mem::forget(dying.acquire().unwrap());
    drop(dying);
    let permit = semaphore.acquire().unwrap();
    assert_exhausted(&semaphore);
    drop(permit);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn the_next_participant_of_a_slot_does_not_hold_the_last_one_s_permits() {
    let dir = TestDir::new();
    let semaphore = dir.options::<Semaphore>().create(NAME, 2).unwrap();
    for _ in 0..3 {
        let dying = dir.options::<Semaphore>().open(NAME).unwrap();
        std::mem::forget([dying.acquire().unwrap(), dying.acquire().unwrap()]);
    }
    let next = dir.options::<Semaphore>().open(NAME).unwrap();
    assert_eq!(next.available(), 2, "the permits of the dead have returned");
    drop((next.acquire().unwrap(), semaphore.acquire().unwrap()));
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn permits_are_limited_for_each_participant_and_in_total() {
    let (_dir, [semaphore, other]) = two_handles::<Semaphore>(NAME, u32::MAX);
    let permits: Vec<_> = (0..MAX_HELD).map(|_| semaphore.acquire().unwrap()).collect();
    assert_error(semaphore.acquire(), ErrorKind::Full, "holds 15000 permits, the maximum");
    assert_eq!(kind(semaphore.try_acquire()), ErrorKind::Full);
    assert_eq!(kind(semaphore.acquire_timeout(TIMEOUT)), ErrorKind::Full);
    semaphore.consume().expect("a consumed permit is not held");
    drop(other.acquire().expect("the other handle holds none"));
    drop(permits);
    drop(semaphore.acquire().unwrap());

    let room = (1 << 40) - semaphore.available();
    for _ in 0..room / u64::from(u32::MAX) {
        other.post(u32::MAX).unwrap();
    }
    other.post((room % u64::from(u32::MAX)) as u32).unwrap();
    assert_eq!(semaphore.available(), 1 << 40);
    assert_error(semaphore.post(1), ErrorKind::Full, "1099511627776 are the maximum");
    assert_eq!(semaphore.available(), 1 << 40);
}

#[test]
fn removal_is_reported_to_waiters_and_later_callers() {
    let (dir, [semaphore, other]) = two_handles::<Semaphore>(NAME, 1);
    let permit = semaphore.acquire().unwrap();
    let waits = (0..4).map(|number| {
        let other = &other;
        move || match number {
            0 => kind(other.consume()),
            _ => kind(ACQUIRES[number - 1](other).map(drop)),
        }
    });
    dir.remove_while_waiting::<Semaphore, _>(NAME, waits);
    drop(permit);
    for acquire in ACQUIRES {
        assert_eq!(kind(acquire(&semaphore)), ErrorKind::Closed);
    }
    semaphore.consume().expect("the permit that is left");
    for consume in CONSUMES {
        assert_eq!(kind(consume(&semaphore)), ErrorKind::Closed);
    }
}
