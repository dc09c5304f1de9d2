//! A latch: it opens once, when all parties have counted down.

use std::time::{Duration, Instant};

use shmkit::sync::Latch;
use shmkit::{ErrorKind, Result};

use crate::test_dir::{SHORT, TIMEOUT, TestDir, assert_error, kind, two_handles};

const NAME: &str = "loaded";

type Wait = fn(&Latch) -> Result<()>;

/// Every method that waits.
const WAITS: [Wait; 3] = [
    |latch| latch.wait(),
    |latch| latch.wait_timeout(TIMEOUT),
    |latch| latch.wait_until(Instant::now() + TIMEOUT),
];

#[track_caller]
fn assert_shut(latch: &Latch) {
    assert!(!latch.try_wait().unwrap());
    for time in [SHORT, Duration::ZERO] {
        assert_error(latch.wait_timeout(time), ErrorKind::TimedOut, "the timeout expired");
        assert_eq!(kind(latch.wait_until(Instant::now() + time)), ErrorKind::TimedOut);
    }
}

#[test]
fn a_latch_opens_when_all_parties_have_counted_down_and_stays_open() {
    let (dir, [latch, other]) = two_handles::<Latch>(NAME, 3);
    assert_eq!((latch.parties(), other.parties()), (3, 3));
    let parties = [latch.join().unwrap(), other.join().unwrap(), other.join().unwrap()];
    assert_error(latch.join(), ErrorKind::Full, "all 3 parties have joined");
    std::thread::scope(|scope| {
        for wait in &WAITS {
            scope.spawn(|| wait(&latch).unwrap());
            scope.spawn(|| wait(&other).unwrap());
        }
        dir.wait_for_waiters(NAME, 6);
        for party in parties {
            assert_shut(&latch);
            party.count_down().unwrap();
        }
    });
    for wait in WAITS {
        wait(&latch).unwrap();
    }
    assert!(other.try_wait().unwrap());
    other.wait_timeout(Duration::ZERO).unwrap();
    assert_error(latch.join(), ErrorKind::Full, "all 3 parties have joined");
    drop((latch, other));
    dir.options::<Latch>().open(NAME).unwrap().wait().expect("the latch stays open");
}

#[test]
fn a_party_dropped_before_counting_down_frees_its_place() {
    let (_dir, [latch, other]) = two_handles::<Latch>(NAME, 1);
    drop(latch.join().unwrap());
    assert_shut(&latch);
    other.join().unwrap().count_down().unwrap();
    latch.wait().unwrap();
}

#[test]
fn death_of_a_party_before_counting_down_is_reported_once_to_each_waiter() {
    let (dir, [latch, other]) = two_handles::<Latch>(NAME, 1);
    for wait in WAITS {
        let dying = dir.options::<Latch>().open(NAME).unwrap();
        std::mem::forget(dying.join().unwrap());
        std::thread::scope(|scope| {
            let waiting = [&latch, &other].map(|latch| scope.spawn(move || kind(wait(latch))));
            dir.wait_for_waiters(NAME, 2);
            drop(dying);
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), ErrorKind::PeerDied);
            }
        });
        assert_shut(&latch);
    }
    latch.join().unwrap().count_down().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_count_down_counts_after_the_death_of_its_handle() {
    let (_dir, [latch, dying]) = two_handles::<Latch>(NAME, 2);
    dying.join().unwrap().count_down().unwrap();
    drop(dying);
    assert_shut(&latch);
    latch.join().unwrap().count_down().unwrap();
    latch.wait().unwrap();
}

#[test]
fn removal_is_reported_to_waiters_and_later_callers() {
    let (dir, [latch, other]) = two_handles::<Latch>(NAME, 1);
    let waits = WAITS.iter().map(|wait| || kind(wait(&other)));
    dir.remove_while_waiting::<Latch, _>(NAME, waits);
    for wait in WAITS {
        assert_eq!(kind(wait(&latch)), ErrorKind::Closed);
    }
    assert_eq!(kind(latch.try_wait()), ErrorKind::Closed);
}

#[test]
fn an_open_latch_stays_open_for_its_handles_after_removal() {
    let (dir, [latch, other]) = two_handles::<Latch>(NAME, 1);
    latch.join().unwrap().count_down().unwrap();
    dir.options::<Latch>().remove(NAME).unwrap();
    assert!(other.try_wait().unwrap());
    for wait in WAITS {
        wait(&other).unwrap();
    }
}

#[test]
fn an_invalid_number_of_parties_is_refused() {
    let dir = TestDir::new();
    for parties in [0, 1025] {
        let answer = dir.options::<Latch>().create(NAME, parties);
        assert_error(answer, ErrorKind::InvalidArgument, "1 to 1024 are allowed");
    }
}
