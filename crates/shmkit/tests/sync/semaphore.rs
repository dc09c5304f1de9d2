//! A semaphore: permits that come back, and permits that do not.

use std::time::{Duration, Instant};

use shmkit::sync::{Permit, Semaphore};
use shmkit::{ErrorKind, Result};

use crate::place::{MOMENT, Place, SOON, kind, refused};

const NAME: &str = "places";
/// The most that one participant can hold.
const MOST_HELD: u32 = 15_000;

type Acquire = fn(&Semaphore) -> Result<Permit<'_>>;
type Consume = fn(&Semaphore) -> Result<()>;

/// Every way to take a permit that comes back.
const ACQUIRES: [Acquire; 4] = [
    |semaphore| semaphore.acquire(),
    |semaphore| semaphore.acquire_timeout(SOON),
    |semaphore| semaphore.acquire_until(Instant::now() + SOON),
    |semaphore| Ok(semaphore.try_acquire()?.expect("there is one")),
];

/// Every way to take one for good.
const CONSUMES: [Consume; 3] = [
    |semaphore| semaphore.consume(),
    |semaphore| semaphore.consume_timeout(SOON),
    |semaphore| semaphore.try_consume().map(|had| assert!(had, "there is one")),
];

#[track_caller]
fn is_exhausted(semaphore: &Semaphore) {
    assert_eq!(semaphore.available(), 0);
    assert!(semaphore.try_acquire().unwrap().is_none());
    assert!(!semaphore.try_consume().unwrap());
    for time in [MOMENT, Duration::ZERO] {
        refused(semaphore.acquire_timeout(time), ErrorKind::TimedOut, r#"a permit of "places": "#);
        assert_eq!(kind(semaphore.acquire_until(Instant::now() + time)), ErrorKind::TimedOut);
        assert_eq!(kind(semaphore.consume_timeout(time)), ErrorKind::TimedOut);
    }
}

#[test]
fn one_permit_excludes_as_a_mutex_does() {
    const STEPS: u64 = 3_000;
    let place = Place::new();
    let handles = place.two::<Semaphore>(NAME, 1);
    for acquire in ACQUIRES {
        let permit = acquire(&handles[0]).unwrap();
        is_exhausted(&handles[1]);
        drop(permit);
        assert_eq!(handles[1].available(), 1);
    }
    let inside = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for semaphore in [&handles[0], &handles[0], &handles[1]] {
            scope.spawn(|| {
                // ORDERING: Relaxed; the semaphore orders them.
                let order = std::sync::atomic::Ordering::Relaxed;
                for _ in 0..STEPS {
                    let permit = semaphore.acquire().unwrap();
                    let seen = inside.load(order);
                    inside.store(seen + 1, order);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!(inside.into_inner(), 3 * STEPS);
}

#[test]
fn a_hundred_permits_are_handed_out_and_come_back() {
    let place = Place::new();
    let handles = place.two::<Semaphore>(NAME, 100);
    for round in 0..ACQUIRES.len() {
        let mut permits: Vec<_> = (0..100)
            .map(|number| ACQUIRES[(round + number) % 4](&handles[number % 2]).unwrap())
            .collect();
        is_exhausted(&handles[0]);
        drop(permits.pop());
        assert_eq!(handles[1].available(), 1);
        permits.push(handles[1].acquire().unwrap());
        is_exhausted(&handles[1]);
    }
    assert_eq!(handles[0].available(), 100);
}

#[test]
fn what_is_consumed_or_forgotten_does_not_come_back_and_what_is_posted_is_new() {
    let place = Place::new();
    let [semaphore, other] = place.two::<Semaphore>(NAME, 0);
    is_exhausted(&semaphore);
    other.post(0).unwrap();
    is_exhausted(&semaphore);
    for consume in CONSUMES {
        other.post(1).unwrap();
        consume(&semaphore).unwrap();
        is_exhausted(&semaphore);
    }
    for acquire in ACQUIRES {
        other.post(1).unwrap();
        acquire(&semaphore).unwrap().forget();
        is_exhausted(&other);
    }
    other.post(5).unwrap();
    assert_eq!(semaphore.available(), 5);
    let kept = semaphore.acquire().unwrap();
    semaphore.acquire().unwrap().forget();
    semaphore.consume().unwrap();
    drop(kept);
    assert_eq!(other.available(), 3);
}

#[test]
fn each_way_to_wait_ends_by_a_permit_given_back_or_posted() {
    let place = Place::new();
    let [semaphore, other] = place.two::<Semaphore>(NAME, 1);
    for acquire in &ACQUIRES[..3] {
        let permit = semaphore.acquire().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(acquire(&other).unwrap()));
            place.until_threads_wait(NAME, 1);
            assert!(!waiting.is_finished());
            drop(permit);
        });
    }
    semaphore.consume().unwrap();
    for consume in &CONSUMES[..2] {
        std::thread::scope(|scope| {
            let waiting = [(); 3].map(|()| scope.spawn(|| consume(&other).unwrap()));
            place.until_threads_wait(NAME, 3);
            semaphore.post(2).unwrap();
            place.until_threads_wait(NAME, 1);
            while waiting.iter().filter(|it| it.is_finished()).count() < 2 {
                std::thread::yield_now();
            }
            assert_eq!(semaphore.available(), 0);
            semaphore.post(1).unwrap();
        });
        is_exhausted(&semaphore);
    }
}

#[test]
fn no_item_is_lost_or_made_between_those_who_post_and_those_who_consume() {
    const ITEMS: u32 = 6_000;
    let place = Place::new();
    let handles = place.two::<Semaphore>(NAME, 0);
    std::thread::scope(|scope| {
        for semaphore in &handles {
            scope.spawn(|| (0..ITEMS / 3).for_each(|_| semaphore.post(3).unwrap()));
            scope.spawn(|| (0..ITEMS / 2).for_each(|_| semaphore.consume().unwrap()));
            scope.spawn(|| {
                (0..ITEMS / 2).for_each(|_| semaphore.acquire_timeout(SOON).unwrap().forget());
            });
        }
    });
    is_exhausted(&handles[0]);
}

#[test]
fn the_permits_of_a_handle_that_ends_come_back() {
    let place = Place::new();
    let semaphore = place.of::<Semaphore>().create(NAME, 3).unwrap();
    for acquire in ACQUIRES {
        let dying = place.of::<Semaphore>().open(NAME).unwrap();
        std::mem::forget([(); 3].map(|()| dying.acquire().unwrap()));
        is_exhausted(&semaphore);
        drop(dying);
        let permits = [(); 3].map(|()| match semaphore.try_acquire().unwrap() {
            Some(permit) => permit,
            // This handle asks about deaths once in 50 ms.
            None => acquire_patiently(&semaphore, acquire),
        });
        is_exhausted(&semaphore);
        drop(permits);
        assert_eq!(semaphore.available(), 3);
    }
}

/// Attempts until it is time to ask about deaths again.
fn acquire_patiently(semaphore: &Semaphore, acquire: Acquire) -> Permit<'_> {
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
fn one_who_dies_waiting_took_nothing_and_one_who_consumed_gives_nothing_back() {
    let place = Place::new();
    let [semaphore, dying] = place.two::<Semaphore>(NAME, 3);
    dying.consume().unwrap();
    dying.acquire().unwrap().forget();
    std::mem::forget(dying.acquire().unwrap());
    drop(dying);
    let permit = semaphore.acquire().unwrap();
    is_exhausted(&semaphore);
    drop(permit);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn a_slot_s_next_participant_does_not_have_what_the_last_one_held() {
    let place = Place::new();
    let semaphore = place.of::<Semaphore>().create(NAME, 2).unwrap();
    for _ in 0..3 {
        let dying = place.of::<Semaphore>().open(NAME).unwrap();
        std::mem::forget([dying.acquire().unwrap(), dying.acquire().unwrap()]);
    }
    let next = place.of::<Semaphore>().open(NAME).unwrap();
    assert_eq!(next.available(), 2, "given back before it took anything");
    drop((next.acquire().unwrap(), semaphore.acquire().unwrap()));
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn there_is_a_most_that_one_can_hold_and_a_most_that_there_can_be() {
    let place = Place::new();
    let [semaphore, other] = place.two::<Semaphore>(NAME, u32::MAX);
    let permits: Vec<_> = (0..MOST_HELD).map(|_| semaphore.acquire().unwrap()).collect();
    refused(semaphore.acquire(), ErrorKind::Full, "holds 15000, which is the most");
    assert_eq!(kind(semaphore.try_acquire()), ErrorKind::Full);
    assert_eq!(kind(semaphore.acquire_timeout(SOON)), ErrorKind::Full);
    semaphore.consume().expect("what is consumed is not held");
    drop(other.acquire().expect("another holds none"));
    drop(permits);
    drop(semaphore.acquire().unwrap());

    let room = (1 << 40) - semaphore.available();
    for _ in 0..room / u64::from(u32::MAX) {
        other.post(u32::MAX).unwrap();
    }
    other.post((room % u64::from(u32::MAX)) as u32).unwrap();
    assert_eq!(semaphore.available(), 1 << 40);
    refused(semaphore.post(1), ErrorKind::Full, "more than 1099511627776 permits");
    assert_eq!(semaphore.available(), 1 << 40);
}

#[test]
fn removal_is_told_to_who_waits_and_all_who_come() {
    let place = Place::new();
    let [semaphore, other] = place.two::<Semaphore>(NAME, 1);
    let permit = semaphore.acquire().unwrap();
    std::thread::scope(|scope| {
        let consuming = scope.spawn(|| kind(other.consume()));
        let acquiring = ACQUIRES[..3].iter();
        let acquiring: Vec<_> =
            acquiring.map(|acquire| scope.spawn(|| kind(acquire(&other).map(drop)))).collect();
        place.until_threads_wait(NAME, 4);
        place.of::<Semaphore>().remove(NAME).unwrap();
        for waiting in acquiring.into_iter().chain([consuming]) {
            assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
        }
    });
    drop(permit);
    for acquire in ACQUIRES {
        assert_eq!(kind(acquire(&semaphore)), ErrorKind::Closed);
    }
    for consume in CONSUMES {
        assert_eq!(kind(consume(&semaphore)), ErrorKind::Closed);
    }
}
