//! A barrier: who goes on when, and what a missing party does to the others.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use shmkit::sync::{Barrier, BarrierParty, BarrierWaitResult};
use shmkit::{ErrorKind, Result};

use crate::place::{MOMENT, Place, SOON, kind, refused};

const NAME: &str = "step";

type Wait = fn(&mut BarrierParty<'_>) -> Result<BarrierWaitResult>;

/// Every way to wait.
const WAITS: [Wait; 3] = [
    |party| party.wait(),
    |party| party.wait_timeout(SOON),
    |party| party.wait_until(Instant::now() + SOON),
];

#[test]
fn nobody_goes_on_before_all_have_come_and_one_leads() {
    const ROUNDS: u32 = if cfg!(windows) { 200 } else { 2_000 };
    const PARTIES: u32 = 4;
    let place = Place::new();
    let handles = place.two::<Barrier>(NAME, PARTIES);
    assert_eq!((handles[0].parties(), handles[1].parties()), (PARTIES, PARTIES));
    let (came, led) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for barrier in [&handles[0], &handles[0], &handles[1], &handles[1]] {
            let (came, led) = (&came, &led);
            scope.spawn(move || {
                let mut party = barrier.join().unwrap();
                for round in 0..ROUNDS {
                    // ORDERING: Relaxed; the barrier orders them.
                    came.fetch_add(1, Ordering::Relaxed);
                    let leads = WAITS[round as usize % 3](&mut party).unwrap().is_leader();
                    // ORDERING: Relaxed; as above.
                    let seen = came.load(Ordering::Relaxed);
                    assert!(seen >= (round + 1) * PARTIES, "{seen} had come in round {round}");
                    // ORDERING: Relaxed; counted.
                    led.fetch_add(leads.into(), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(led.into_inner(), ROUNDS);
}

#[test]
fn who_came_has_come_although_the_time_was_over() {
    let place = Place::new();
    let [barrier, other] = place.two::<Barrier>(NAME, 2);
    let mut party = barrier.join().unwrap();
    for time in [MOMENT, Duration::ZERO] {
        refused(party.wait_timeout(time), ErrorKind::TimedOut, r#"cannot meet at "step": "#);
        assert_eq!(kind(party.wait_until(Instant::now() + time)), ErrorKind::TimedOut);
    }
    let mut second = other.join().unwrap();
    assert!(second.wait().unwrap().is_leader(), "the first one had come");
    assert!(!party.wait().unwrap().is_leader(), "in the same round");
    assert_eq!(kind(party.wait_timeout(MOMENT)), ErrorKind::TimedOut, "a new round");
}

#[test]
fn there_are_as_many_places_as_parties_and_a_dropped_one_is_free() {
    let place = Place::new();
    let [barrier, other] = place.two::<Barrier>(NAME, 2);
    let parties = [barrier.join().unwrap(), other.join().unwrap()];
    refused(barrier.join(), ErrorKind::Full, "all 2 parties have joined");
    drop(parties);
    let mut left = barrier.join().unwrap();
    assert_eq!(kind(left.wait_timeout(MOMENT)), ErrorKind::TimedOut);
    drop(left);
    let [mut first, mut second] = [barrier.join().unwrap(), other.join().unwrap()];
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || first.wait().unwrap().is_leader());
        place.until_threads_wait(NAME, 1);
        assert!(second.wait().unwrap().is_leader() && !waiting.join().unwrap());
    });
}

#[test]
fn a_barrier_of_one_never_waits() {
    let place = Place::new();
    let barrier = place.of::<Barrier>().create(NAME, 1).unwrap();
    let mut party = barrier.join().unwrap();
    for _ in 0..100 {
        for wait in WAITS {
            assert!(wait(&mut party).unwrap().is_leader());
        }
        assert!(party.wait_timeout(Duration::ZERO).unwrap().is_leader());
    }
}

#[test]
fn the_end_of_a_party_that_had_not_come_breaks_the_round_for_all_and_no_other() {
    let place = Place::new();
    let [barrier, other] = place.two::<Barrier>(NAME, 3);
    for wait in WAITS {
        let dying = place.of::<Barrier>().open(NAME).unwrap();
        std::mem::forget(dying.join().unwrap());
        let mut parties = [barrier.join().unwrap(), other.join().unwrap()];
        std::thread::scope(|scope| {
            let waiting = parties.each_mut().map(|party| scope.spawn(|| kind(wait(party))));
            place.until_threads_wait(NAME, 2);
            drop(dying);
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), ErrorKind::PeerDied);
            }
        });
        let mut third = barrier.join().expect("the dead one's place");
        std::thread::scope(|scope| {
            for party in &mut parties {
                scope.spawn(|| wait(party).unwrap());
            }
            wait(&mut third).expect("a new round");
        });
    }
}

#[test]
fn the_end_of_a_party_that_had_come_breaks_the_next_round() {
    let place = Place::new();
    let [barrier, dying] = place.two::<Barrier>(NAME, 2);
    let mut party = barrier.join().unwrap();
    let mut dies = dying.join().unwrap();
    assert_eq!(kind(dies.wait_timeout(MOMENT)), ErrorKind::TimedOut);
    std::mem::forget(dies);
    drop(dying);
    party.wait().expect("it had come");
    refused(party.wait(), ErrorKind::PeerDied, "a process died that others were waiting for");
}

#[test]
fn removal_is_told_to_who_waits_and_all_who_come() {
    let place = Place::new();
    let [barrier, other] = place.two::<Barrier>(NAME, 4);
    let mut parties = [(); 3].map(|()| other.join().unwrap());
    std::thread::scope(|scope| {
        let waiting: Vec<_> = std::iter::zip(WAITS, &mut parties)
            .map(|(wait, party)| scope.spawn(move || kind(wait(party))))
            .collect();
        place.until_threads_wait(NAME, 3);
        place.of::<Barrier>().remove(NAME).unwrap();
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
        }
    });
    let mut party = barrier.join().unwrap();
    for wait in WAITS {
        assert_eq!(kind(wait(&mut party)), ErrorKind::Closed);
    }
}

#[test]
fn a_number_of_parties_that_cannot_meet_is_refused() {
    let place = Place::new();
    for (parties, words) in [(0, "0 parties: 1 to 1024 can meet"), (1025, "1025 parties")] {
        refused(place.of::<Barrier>().create(NAME, parties), ErrorKind::InvalidArgument, words);
        let answer = place.of::<Barrier>().open_or_create(NAME, parties);
        assert_eq!(kind(answer), ErrorKind::InvalidArgument);
        assert_eq!(kind(place.of::<Barrier>().open(NAME)), ErrorKind::NotFound, "none was made");
    }
    let most = place.of::<Barrier>().create(NAME, 1024).unwrap();
    let parties: Vec<_> = (0..1024).map(|_| most.join().unwrap()).collect();
    assert_eq!(kind(most.join()), ErrorKind::Full);
    drop(parties);
}
