//! A latch: it opens once, when all have come.

use std::time::{Duration, Instant};

use shmkit::sync::Latch;
use shmkit::{ErrorKind, Result};

use crate::place::{MOMENT, Place, SOON, kind, refused};

const NAME: &str = "loaded";

type Wait = fn(&Latch) -> Result<()>;

/// Every way to wait.
const WAITS: [Wait; 3] = [
    |latch| latch.wait(),
    |latch| latch.wait_timeout(SOON),
    |latch| latch.wait_until(Instant::now() + SOON),
];

#[track_caller]
fn is_shut(latch: &Latch) {
    assert!(!latch.try_wait().unwrap());
    for time in [MOMENT, Duration::ZERO] {
        refused(latch.wait_timeout(time), ErrorKind::TimedOut, "not within the time given");
        assert_eq!(kind(latch.wait_until(Instant::now() + time)), ErrorKind::TimedOut);
    }
}

#[test]
fn it_opens_when_all_have_come_and_stays_open() {
    let place = Place::new();
    let [latch, other] = place.two::<Latch>(NAME, 3);
    assert_eq!((latch.parties(), other.parties()), (3, 3));
    let parties = [latch.join().unwrap(), other.join().unwrap(), other.join().unwrap()];
    refused(latch.join(), ErrorKind::Full, "all 3 parties have joined");
    std::thread::scope(|scope| {
        for wait in &WAITS {
            scope.spawn(|| wait(&latch).unwrap());
            scope.spawn(|| wait(&other).unwrap());
        }
        place.until_threads_wait(NAME, 6);
        for party in parties {
            is_shut(&latch);
            party.count_down().unwrap();
        }
    });
    for wait in WAITS {
        wait(&latch).unwrap();
    }
    assert!(other.try_wait().unwrap());
    other.wait_timeout(Duration::ZERO).unwrap();
    refused(latch.join(), ErrorKind::Full, "all 3 parties have joined");
    drop((latch, other));
    place.of::<Latch>().open(NAME).unwrap().wait().expect("it stays open");
}

#[test]
fn a_party_that_leaves_before_it_came_makes_room_for_another() {
    let place = Place::new();
    let [latch, other] = place.two::<Latch>(NAME, 1);
    drop(latch.join().unwrap());
    is_shut(&latch);
    other.join().unwrap().count_down().unwrap();
    latch.wait().unwrap();
}

#[test]
fn the_end_of_a_party_that_had_not_come_is_told_to_all_who_wait_once() {
    let place = Place::new();
    let [latch, other] = place.two::<Latch>(NAME, 1);
    for wait in WAITS {
        let dying = place.of::<Latch>().open(NAME).unwrap();
        std::mem::forget(dying.join().unwrap());
        std::thread::scope(|scope| {
            let waiting = [&latch, &other].map(|latch| scope.spawn(move || kind(wait(latch))));
            place.until_threads_wait(NAME, 2);
            drop(dying);
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), ErrorKind::PeerDied);
            }
        });
        is_shut(&latch);
    }
    latch.join().unwrap().count_down().unwrap();
    other.wait().unwrap();
}

#[test]
fn one_that_came_has_come_although_it_ended() {
    let place = Place::new();
    let [latch, dying] = place.two::<Latch>(NAME, 2);
    dying.join().unwrap().count_down().unwrap();
    drop(dying);
    is_shut(&latch);
    latch.join().unwrap().count_down().unwrap();
    latch.wait().unwrap();
}

#[test]
fn removal_is_told_to_who_waits_and_all_who_come() {
    let place = Place::new();
    let [latch, other] = place.two::<Latch>(NAME, 1);
    std::thread::scope(|scope| {
        let waiting = WAITS.each_ref().map(|wait| scope.spawn(|| kind(wait(&other))));
        place.until_threads_wait(NAME, 3);
        place.of::<Latch>().remove(NAME).unwrap();
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
        }
    });
    for wait in WAITS {
        assert_eq!(kind(wait(&latch)), ErrorKind::Closed);
    }
    assert_eq!(kind(latch.try_wait()), ErrorKind::Closed);
}

#[test]
fn an_open_one_stays_open_for_those_who_have_it_when_it_is_removed() {
    let place = Place::new();
    let [latch, other] = place.two::<Latch>(NAME, 1);
    latch.join().unwrap().count_down().unwrap();
    place.of::<Latch>().remove(NAME).unwrap();
    assert!(other.try_wait().unwrap());
    for wait in WAITS {
        wait(&other).unwrap();
    }
}

#[test]
fn a_number_of_parties_that_cannot_come_is_refused() {
    let place = Place::new();
    for parties in [0, 1025] {
        let answer = place.of::<Latch>().create(NAME, parties);
        refused(answer, ErrorKind::InvalidArgument, "1 to 1024 can meet");
    }
}
