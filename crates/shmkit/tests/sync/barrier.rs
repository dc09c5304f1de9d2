//! A barrier: when parties continue, and what the death of one does to the others.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use shmkit::sync::{Barrier, BarrierParty, BarrierWaitResult};
use shmkit::{ErrorKind, Result};

use crate::test_dir::{SHORT, TIMEOUT, TestDir, assert_error, kind, two_handles};

const NAME: &str = "step";

type Wait = fn(&mut BarrierParty<'_>) -> Result<BarrierWaitResult>;

/// Every method that waits.
const WAITS: [Wait; 3] = [
    |party| party.wait(),
    |party| party.wait_timeout(TIMEOUT),
    |party| party.wait_until(Instant::now() + TIMEOUT),
];

#[test]
fn no_party_continues_before_all_have_arrived_and_one_is_the_leader() {
    const ROUNDS: u32 = if cfg!(windows) { 200 } else { 2_000 };
    const PARTIES: u32 = 4;
    let (_dir, handles) = two_handles::<Barrier>(NAME, PARTIES);
    assert_eq!((handles[0].parties(), handles[1].parties()), (PARTIES, PARTIES));
    let (arrived, leaders) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for barrier in [&handles[0], &handles[0], &handles[1], &handles[1]] {
            let (arrived, leaders) = (&arrived, &leaders);
            scope.spawn(move || {
                let mut party = barrier.join().unwrap();
                for round in 0..ROUNDS {
                    // ORDERING: Relaxed; the barrier orders the arrivals.
                    arrived.fetch_add(1, Ordering::Relaxed);
                    let is_leader = WAITS[round as usize % 3](&mut party).unwrap().is_leader();
                    // ORDERING: Relaxed; as above.
                    let seen = arrived.load(Ordering::Relaxed);
                    assert!(seen >= (round + 1) * PARTIES, "{seen} arrivals in round {round}");
                    // ORDERING: Relaxed; only counted.
                    leaders.fetch_add(is_leader.into(), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(leaders.into_inner(), ROUNDS);
}

#[test]
fn an_arrival_counts_after_its_timeout_expired() {
    let (_dir, [barrier, other]) = two_handles::<Barrier>(NAME, 2);
    let mut party = barrier.join().unwrap();
    for time in [SHORT, Duration::ZERO] {
        assert_error(party.wait_timeout(time), ErrorKind::TimedOut, r#"cannot wait at "step": "#);
        assert_eq!(kind(party.wait_until(Instant::now() + time)), ErrorKind::TimedOut);
    }
    let mut second = other.join().unwrap();
    assert!(second.wait().unwrap().is_leader(), "the first party had arrived");
    assert!(!party.wait().unwrap().is_leader(), "the same round");
    assert_eq!(kind(party.wait_timeout(SHORT)), ErrorKind::TimedOut, "a new round");
}

#[test]
fn a_barrier_admits_its_number_of_parties_and_a_dropped_party_frees_its_place() {
    let (dir, [barrier, other]) = two_handles::<Barrier>(NAME, 2);
    let parties = [barrier.join().unwrap(), other.join().unwrap()];
    assert_error(barrier.join(), ErrorKind::Full, "all 2 parties have joined");
    drop(parties);
    let mut leaving = barrier.join().unwrap();
    assert_eq!(kind(leaving.wait_timeout(SHORT)), ErrorKind::TimedOut);
    drop(leaving);
    let [mut first, mut second] = [barrier.join().unwrap(), other.join().unwrap()];
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || first.wait().unwrap().is_leader());
        dir.wait_for_waiters(NAME, 1);
        assert!(second.wait().unwrap().is_leader() && !waiting.join().unwrap());
    });
}

#[test]
fn a_barrier_of_one_never_waits() {
    let dir = TestDir::new();
    let barrier = dir.options::<Barrier>().create(NAME, 1).unwrap();
    let mut party = barrier.join().unwrap();
    for _ in 0..100 {
        for wait in WAITS {
            assert!(wait(&mut party).unwrap().is_leader());
        }
        assert!(party.wait_timeout(Duration::ZERO).unwrap().is_leader());
    }
}

#[test]
fn death_of_a_party_that_has_not_arrived_breaks_one_round_for_all() {
    let (dir, [barrier, other]) = two_handles::<Barrier>(NAME, 3);
    for wait in WAITS {
        let dying = dir.options::<Barrier>().open(NAME).unwrap();
        std::mem::forget(dying.join().unwrap());
        let mut parties = [barrier.join().unwrap(), other.join().unwrap()];
        std::thread::scope(|scope| {
            let waiting = parties.each_mut().map(|party| scope.spawn(|| kind(wait(party))));
            dir.wait_for_waiters(NAME, 2);
            drop(dying);
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), ErrorKind::PeerDied);
            }
        });
        let mut third = barrier.join().expect("the place of the dead party");
        std::thread::scope(|scope| {
            for party in &mut parties {
                scope.spawn(|| wait(party).unwrap());
            }
            wait(&mut third).expect("a new round");
        });
    }
}

#[test]
fn nobody_goes_on_with_a_party_that_arrived_and_died() {
    let (_dir, [barrier, dying]) = two_handles::<Barrier>(NAME, 2);
    let mut party = barrier.join().unwrap();
    let mut dying_party = dying.join().unwrap();
    assert_eq!(kind(dying_party.wait_timeout(SHORT)), ErrorKind::TimedOut);
    std::mem::forget(dying_party);
    drop(dying);
    let told = "a party died before the round was complete";
    assert_error(party.wait(), ErrorKind::PeerDied, told);
    let mut next = barrier.join().expect("the place of the dead party");
    std::thread::scope(|scope| {
        scope.spawn(|| next.wait().unwrap());
        party.wait().expect("the death is told once");
    });
}

#[test]
fn an_abort_ends_all_waits_and_later_ones_until_a_reset() {
    let (dir, [barrier, other]) = two_handles::<Barrier>(NAME, 4);
    let mut parties = [(); 3].map(|()| other.join().unwrap());
    for round in 0..2 {
        std::thread::scope(|scope| {
            let waiting: Vec<_> = std::iter::zip(WAITS, &mut parties)
                .map(|(wait, party)| scope.spawn(move || kind(wait(party))))
                .collect();
            dir.wait_for_waiters(NAME, 3);
            while barrier.waiting() < 3 {
                std::thread::yield_now();
            }
            // A reset alone also ends them.
            if round == 0 {
                barrier.abort().unwrap();
            } else {
                barrier.reset().unwrap();
            }
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), ErrorKind::Aborted);
            }
        });
        assert_eq!((barrier.is_aborted(), other.waiting()), (round == 0, 0));
        if round == 0 {
            other.abort().unwrap();
            let told = "cannot wait at \"step\": a process aborted the barrier";
            assert_error(parties[0].wait(), ErrorKind::Aborted, told);
            let mut late = barrier.join().expect("a party can join meanwhile");
            assert_eq!(kind(late.wait_timeout(Duration::ZERO)), ErrorKind::Aborted);
            drop(late);
            other.reset().unwrap();
        }
    }
    let mut fourth = barrier.join().unwrap();
    std::thread::scope(|scope| {
        for party in &mut parties {
            scope.spawn(|| party.wait().unwrap());
        }
        fourth.wait().expect("the same parties meet again");
    });
}

#[test]
fn a_party_whose_timeout_expired_learns_of_an_abort_that_was_reset_meanwhile() {
    let (_dir, [barrier, other]) = two_handles::<Barrier>(NAME, 2);
    let mut party = barrier.join().unwrap();
    assert_eq!(kind(party.wait_timeout(SHORT)), ErrorKind::TimedOut);
    assert_eq!((barrier.waiting(), other.waiting()), (1, 1));
    other.abort().unwrap();
    for _ in 0..10 {
        other.reset().unwrap();
    }
    assert_eq!(kind(party.wait()), ErrorKind::Aborted);
    let mut second = other.join().unwrap();
    assert_eq!(kind(second.wait_timeout(SHORT)), ErrorKind::TimedOut, "a new round");
    party.wait().unwrap();
    second.wait().unwrap();
}

#[test]
fn a_complete_round_stays_complete_after_an_abort() {
    let (_dir, [barrier, other]) = two_handles::<Barrier>(NAME, 2);
    let (mut party, mut second) = (barrier.join().unwrap(), other.join().unwrap());
    assert_eq!(kind(party.wait_timeout(SHORT)), ErrorKind::TimedOut);
    second.wait().unwrap();
    barrier.abort().unwrap();
    party.wait().expect("its round was complete before");
    assert_eq!(kind(party.wait()), ErrorKind::Aborted);
}

#[test]
fn a_party_that_dies_while_the_barrier_is_aborted_frees_its_place() {
    let (_dir, [barrier, dying]) = two_handles::<Barrier>(NAME, 2);
    let mut party = barrier.join().unwrap();
    std::mem::forget(dying.join().unwrap());
    barrier.abort().unwrap();
    drop(dying);
    let mut second = barrier.join().expect("the place of the dead party");
    assert!(barrier.is_aborted(), "until a reset");
    assert_eq!(kind(party.wait()), ErrorKind::Aborted);
    barrier.reset().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| second.wait().unwrap());
        party.wait().expect("the death broke no round");
    });
}

#[test]
fn removal_is_reported_to_waiters_and_later_callers() {
    let (dir, [barrier, other]) = two_handles::<Barrier>(NAME, 4);
    let mut parties = [(); 3].map(|()| other.join().unwrap());
    let waits = std::iter::zip(WAITS, &mut parties).map(|(wait, it)| move || kind(wait(it)));
    dir.remove_while_waiting::<Barrier, _>(NAME, waits);
    let mut party = barrier.join().unwrap();
    for wait in WAITS {
        assert_eq!(kind(wait(&mut party)), ErrorKind::Closed);
    }
    assert_eq!(
        (kind(barrier.abort()), kind(barrier.reset())),
        (ErrorKind::Closed, ErrorKind::Closed)
    );
}

#[test]
fn an_invalid_number_of_parties_is_refused() {
    let dir = TestDir::new();
    let options = dir.options::<Barrier>();
    for (parties, words) in
        [(0, "0 parties were asked for; 1 to 1024 are allowed"), (1025, "1025 parties")]
    {
        assert_error(options.create(NAME, parties), ErrorKind::InvalidArgument, words);
        assert_eq!(kind(options.open_or_create(NAME, parties)), ErrorKind::InvalidArgument);
        assert_eq!(kind(options.open(NAME)), ErrorKind::NotFound, "no object was created");
    }
    let barrier = options.create(NAME, 1024).unwrap();
    let parties: Vec<_> = (0..1024).map(|_| barrier.join().unwrap()).collect();
    assert_eq!(kind(barrier.join()), ErrorKind::Full);
    drop(parties);
}
