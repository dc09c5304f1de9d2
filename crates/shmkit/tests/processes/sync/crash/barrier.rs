//! The death of a party breaks one round of a barrier or latch, and is reported once to each waiter
//! of the round.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use shmkit::sync::{Barrier, BarrierParty, Latch};
use shmkit::{ErrorKind, Object};

use super::super::words::Words;
use super::{Case, NAME, Operation, ROUNDS_AFTER, WAITERS_NOT_WOKEN, case};
use crate::children::{Child, Link};
use crate::flag::Flag;
use crate::test_dir::{TestDir, kind, open};
use crate::times::TIMEOUT;

type Shared = (Barrier, [Latch; 64]);

const PARTIES: u32 = 3;
const SHORT: Duration = Duration::from_millis(5);
const JOINED: &str = "barrier: joined";
const ARRIVED: &str = "barrier: arrived, not yet seen";
/// The bit of the word that says that a thread may sleep.
const ASLEEP: u64 = 1;

pub(super) const CASES: &[Case] = &[
    case("wait", JOINED, 1),
    case("wait", ARRIVED, 1),
    case("wait", WAITERS_NOT_WOKEN, 1),
    case("repair", "barrier: death recorded, round not broken", 1),
    case("repair", "barrier: round broken, record not free", 1),
    case("abort", WAITERS_NOT_WOKEN, 0),
    case("count down", JOINED, 1),
    case("count down", ARRIVED, 0),
    case("count down", WAITERS_NOT_WOKEN, 0),
];

pub(super) const OPERATIONS: &[Operation] = &[
    ("wait", |_| {
        let shared = open::<Shared>(NAME);
        let mut party = shared.0.join().unwrap();
        while party.wait_timeout(TIMEOUT).is_ok() {}
    }),
    ("repair", |_| _ = open::<Shared>(NAME).0.join()),
    ("abort", |_| open::<Shared>(NAME).0.abort().unwrap()),
    ("count down", |link| {
        let shared = open::<Shared>(NAME);
        for latch in &shared.1 {
            let party = latch.join().unwrap();
            link.send("joined");
            link.receive();
            party.count_down().unwrap();
            link.send("counted down");
            link.receive();
        }
    }),
];

pub(crate) fn party_that_never_waits(link: &mut Link) {
    let shared = open::<Shared>(NAME);
    let _party = shared.0.join().unwrap();
    link.send("ready");
    link.receive();
}

pub(crate) fn party_that_waits_once(link: &mut Link) {
    let shared = open::<Shared>(NAME);
    shared.0.join().unwrap().wait().unwrap();
    link.send("done");
    link.receive();
}

#[test]
fn a_party_stopped_after_arriving_completes_its_round() {
    let dir = TestDir::new();
    let [first, second] = handles(&dir);
    let mut child = Child::start_and_stop_at(&dir, ARRIVED, "party that waits once", "");
    thread::scope(|scope| {
        for shared in [&first, &second] {
            scope.spawn(|| shared.0.join().unwrap().wait_timeout(TIMEOUT).unwrap());
        }
    });
    child.resume();
    assert_eq!(child.receive(), "done");
}

fn handles<const N: usize>(dir: &TestDir) -> [Object<Shared>; N] {
    dir.handles(NAME, (PARTIES, [2; 64]))
}

#[test]
fn death_of_a_party_breaks_one_round_and_frees_its_place() {
    for case in CASES {
        match case.operation {
            "wait" => check_wait(case),
            "repair" => check_repair(case),
            "abort" => check_abort(case),
            _ => check_count_down(case),
        }
    }
}

/// Two parties wait with the child, and after its death with another in its place.
fn check_wait(case: &Case) {
    let dir = TestDir::new();
    let [first, second, third] = handles(&dir);
    let (stop, all_deaths) = (Flag::new(), AtomicU32::new(0));
    let deaths: Vec<u32> = thread::scope(|scope| {
        let survivors = [&first, &second].map(|shared| {
            let mut party = shared.0.join().unwrap();
            assert_eq!(kind(party.wait_timeout(Duration::ZERO)), ErrorKind::TimedOut);
            let (stop, all_deaths) = (&stop, &all_deaths);
            scope.spawn(move || wait_repeatedly(&mut party, stop, all_deaths))
        });
        let set_stop = stop.set_on_drop();
        case.kill_child(&dir);
        let start = Instant::now();
        // ORDERING: Relaxed; no data depends on the number, and it may be seen late.
        while all_deaths.load(Ordering::Relaxed) < case.deaths {
            assert!(start.elapsed() < TIMEOUT, "the death is not reported");
            thread::yield_now();
        }
        let mut party = third.0.join().unwrap();
        for _ in 0..ROUNDS_AFTER {
            party.wait_timeout(TIMEOUT).unwrap();
        }
        drop(set_stop);
        survivors.into_iter().map(|it| it.join().unwrap()).collect()
    });
    // A party that only joined broke the round in which both others waited. A party that arrived
    // broke the next one, in which either may have waited or not.
    let least = if case.point == JOINED { case.deaths } else { 0 };
    assert!(deaths.iter().all(|deaths| (least..=case.deaths).contains(deaths)), "{deaths:?}");
}

/// Waits until told to stop. Returns how many deaths were reported.
fn wait_repeatedly(party: &mut BarrierParty<'_>, stop: &Flag, all_deaths: &AtomicU32) -> u32 {
    let mut deaths = 0;
    while !stop.is_set() {
        match party.wait_timeout(SHORT).map_err(|error| error.kind()) {
            Ok(_) | Err(ErrorKind::TimedOut) => {}
            Err(ErrorKind::PeerDied) => {
                deaths += 1;
                // ORDERING: Relaxed; as in `check_wait`.
                all_deaths.fetch_add(1, Ordering::Relaxed);
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    deaths
}

/// The child dies while it repairs what the death of another party has left.
fn check_repair(case: &Case) {
    let dir = TestDir::new();
    let [first, second, third] = handles(&dir);
    let mut party = first.0.join().unwrap();
    let mut dying = Child::start_ready(&dir, "party that never waits", "");
    assert_eq!(kind(party.wait_timeout(Duration::ZERO)), ErrorKind::TimedOut);
    dying.kill();
    case.kill_child(&dir);
    assert_eq!(kind(party.wait_timeout(TIMEOUT)), ErrorKind::PeerDied);
    assert_eq!(kind(party.wait_timeout(SHORT)), ErrorKind::TimedOut, "reported twice");
    let parties = [party, second.0.join().unwrap(), third.0.join().unwrap()];
    assert_eq!(kind(third.0.join()), ErrorKind::Full);
    thread::scope(|scope| {
        for mut party in parties {
            scope.spawn(move || {
                (0..ROUNDS_AFTER).for_each(|_| _ = party.wait_timeout(TIMEOUT).unwrap());
            });
        }
    });
}

/// The child dies after it aborted the barrier, and before it wakes the parties that wait.
fn check_abort(case: &Case) {
    let dir = TestDir::new();
    let [first, second] = handles(&dir);
    let mut parties = [first.0.join().unwrap(), second.0.join().unwrap()];
    thread::scope(|scope| {
        let waiting =
            parties.each_mut().map(|party| scope.spawn(|| kind(party.wait_timeout(TIMEOUT))));
        dir.wait_for_waiters(NAME, 2);
        // A thread counts as waiting before it sleeps, and the child dies only if one sleeps.
        Words::open(dir.path(), NAME).wait_for_bit(0, ASLEEP);
        case.kill_child(&dir);
        assert_eq!(waiting.map(|it| it.join().unwrap()), [ErrorKind::Aborted; 2]);
    });
    assert!(first.0.is_aborted(), "the barrier stays aborted");
    second.0.reset().unwrap();
    let mut third = first.0.join().unwrap();
    thread::scope(|scope| {
        for party in parties.iter_mut().chain([&mut third]) {
            scope.spawn(move || {
                (0..ROUNDS_AFTER).for_each(|_| _ = party.wait_timeout(TIMEOUT).unwrap());
            });
        }
    });
}

fn check_count_down(case: &Case) {
    let dir = TestDir::new();
    let [first, second] = handles(&dir);
    let mut child = case.start(&dir);
    let mut latches = first.1.iter();
    while child.receive_if_alive().is_some() {
        let latch = latches.next().expect("the child is killed at one of the latches");
        if case.point == WAITERS_NOT_WOKEN {
            latch.join().unwrap().count_down().unwrap();
            thread::scope(|scope| {
                let waiting = scope.spawn(|| latch.wait_timeout(TIMEOUT));
                dir.wait_for_waiters(NAME, 1);
                child.send("count down");
                waiting.join().unwrap().unwrap();
            });
        } else {
            child.send("count down");
        }
        if child.receive_if_alive().is_none() {
            break;
        }
        child.send("join the next");
    }
    assert!(child.was_killed());
    let latch = &first.1[0];
    match case.point {
        JOINED => {
            assert_eq!(kind(latch.wait_timeout(TIMEOUT)), ErrorKind::PeerDied);
            assert_eq!(kind(latch.wait_timeout(SHORT)), ErrorKind::TimedOut, "reported twice");
            open_together([latch, &second.1[0]]);
        }
        WAITERS_NOT_WOKEN => {}
        _ => {
            assert_eq!(kind(latch.wait_timeout(SHORT)), ErrorKind::TimedOut, "it had arrived");
            latch.join().unwrap().count_down().unwrap();
            latch.wait_timeout(TIMEOUT).unwrap();
        }
    }
    open_more(&dir);
}

fn open_together(latches: [&Latch; 2]) {
    thread::scope(|scope| {
        for latch in latches {
            scope.spawn(|| {
                latch.join().unwrap().count_down().unwrap();
                latch.wait_timeout(TIMEOUT).unwrap();
            });
        }
    });
}

/// Checks that other latches work.
fn open_more(dir: &TestDir) {
    for _ in 0..ROUNDS_AFTER / 64 {
        let [first, second] = dir.handles::<[Latch; 64], 2>("more", [2; 64]);
        first.iter().zip(second.iter()).for_each(|(first, second)| open_together([first, second]));
        dir.primitive::<[Latch; 64]>().remove("more").unwrap();
    }
}
