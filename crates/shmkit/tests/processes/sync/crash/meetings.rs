//! A party's death breaks one round, and whoever waits in it is told once.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use shmkit::ErrorKind;
use shmkit::sync::{Barrier, BarrierParty, Latch, named::Named};

use super::{Case, Deed, MORE, NAME, Signal, case, is_set};
use crate::children::{Child, Link};
use crate::place::{Place, kind};
use crate::sync::ledger::PATIENCE;

type Meeting = (Barrier, [Latch; 64]);

const PARTIES: u32 = 3;
const MOMENT: Duration = Duration::from_millis(5);
const UNWOKEN: &str = "sleepers: word changed, nobody woken";

pub(super) const CASES: &[Case] = &[
    case("meet", "barrier: joined", 1),
    case("meet", "barrier: arrived, not yet seen", 1),
    case("meet", UNWOKEN, 1),
    case("repair", "barrier: death on record, round not broken", 1),
    case("repair", "barrier: round broken, record not free", 1),
    case("count down", "barrier: joined", 1),
    case("count down", "barrier: arrived, not yet seen", 0),
    case("count down", UNWOKEN, 0),
];

pub(super) const DEEDS: &[Deed] = &[
    ("meet", |_| {
        let meeting = Named::<Meeting>::open(NAME).unwrap();
        let mut party = meeting.0.join().unwrap();
        while party.wait_timeout(PATIENCE).is_ok() {}
    }),
    ("repair", |_| _ = Named::<Meeting>::open(NAME).unwrap().0.join()),
    ("count down", |link| {
        let meeting = Named::<Meeting>::open(NAME).unwrap();
        for latch in &meeting.1 {
            let party = latch.join().unwrap();
            link.say("joined");
            link.hear();
            party.count_down().unwrap();
            link.say("came");
            link.hear();
        }
    }),
];

/// A party that does not come.
pub(crate) fn absent_party(link: &mut Link) {
    let meeting = Named::<Meeting>::open(NAME).unwrap();
    let _party = meeting.0.join().unwrap();
    link.say("joined");
    link.hear();
}

/// A party that comes once.
pub(crate) fn slow_party(link: &mut Link) {
    let meeting = Named::<Meeting>::open(NAME).unwrap();
    meeting.0.join().unwrap().wait().unwrap();
    link.say("met");
    link.hear();
}

#[test]
fn one_who_came_and_stood_still_has_met_those_who_went_on() {
    let place = Place::new();
    let [first, second] = [(); 2].map(|()| open(&place));
    let point = "barrier: arrived, not yet seen";
    let mut child = Child::start_to_stop_at(&place, point, "slow party", "");
    thread::scope(|scope| {
        for meeting in [&first, &second] {
            scope.spawn(|| meeting.0.join().unwrap().wait_timeout(PATIENCE).unwrap());
        }
    });
    child.go_on();
    assert_eq!(child.hear(), "met");
}

fn open(place: &Place) -> Named<Meeting> {
    let options = Named::<Meeting>::options().directory(place.path());
    options.open_or_create(NAME, (PARTIES, [2; 64])).unwrap()
}

#[test]
fn a_party_s_death_breaks_one_round_and_its_place_is_free() {
    for case in CASES {
        match case.deed {
            "meet" => meet(case),
            "repair" => repair(case),
            _ => count_down(case),
        }
    }
}

/// Two parties meet the child, and after its death another in its place.
fn meet(case: &Case) {
    let place = Place::new();
    let [first, second, third] = [(); 3].map(|()| open(&place));
    let (over, news) = (AtomicBool::new(false), AtomicU32::new(0));
    let told: Vec<u32> = thread::scope(|scope| {
        let survivors = [&first, &second].map(|meeting| {
            let mut party = meeting.0.join().unwrap();
            assert_eq!(kind(party.wait_timeout(Duration::ZERO)), ErrorKind::TimedOut);
            let (over, news) = (&over, &news);
            scope.spawn(move || keep_meeting(&mut party, over, news))
        });
        let signal = Signal(&over);
        case.strike(&place);
        let given_up = Instant::now() + PATIENCE;
        // ORDERING: Relaxed; it may be seen late.
        while news.load(Ordering::Relaxed) < case.news {
            assert!(Instant::now() < given_up, "nobody is told");
            thread::yield_now();
        }
        let mut party = third.0.join().unwrap();
        for _ in 0..MORE {
            party.wait_timeout(PATIENCE).unwrap();
        }
        drop(signal);
        survivors.into_iter().map(|it| it.join().unwrap()).collect()
    });
    // Both were waiting for one that never came; who had come already to the round behind one to
    // which it came is left to chance.
    let least = if case.point == "barrier: joined" { case.news } else { 0 };
    assert!(told.iter().all(|told| (least..=case.news).contains(told)), "{told:?}");
}

/// Meets the others until it is over. How often it was told of a death.
fn keep_meeting(party: &mut BarrierParty<'_>, over: &AtomicBool, news: &AtomicU32) -> u32 {
    let mut told = 0;
    while !is_set(over) {
        match party.wait_timeout(MOMENT).map_err(|error| error.kind()) {
            Ok(_) | Err(ErrorKind::TimedOut) => {}
            Err(ErrorKind::PeerDied) => {
                told += 1;
                // ORDERING: Relaxed; as above.
                news.fetch_add(1, Ordering::Relaxed);
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    told
}

/// The child dies while it repairs what another's death has left.
fn repair(case: &Case) {
    let place = Place::new();
    let [first, second, third] = [(); 3].map(|()| open(&place));
    let mut party = first.0.join().unwrap();
    let mut absent = Child::start(&place, "absent party", "");
    assert_eq!(absent.hear(), "joined");
    assert_eq!(kind(party.wait_timeout(Duration::ZERO)), ErrorKind::TimedOut);
    absent.kill();
    case.strike(&place);
    assert_eq!(kind(party.wait_timeout(PATIENCE)), ErrorKind::PeerDied);
    assert_eq!(kind(party.wait_timeout(MOMENT)), ErrorKind::TimedOut, "told twice");
    let parties = [party, second.0.join().unwrap(), third.0.join().unwrap()];
    assert_eq!(kind(third.0.join()), ErrorKind::Full);
    thread::scope(|scope| {
        for mut party in parties {
            scope.spawn(move || (0..MORE).for_each(|_| _ = party.wait_timeout(PATIENCE).unwrap()));
        }
    });
}

fn count_down(case: &Case) {
    let place = Place::new();
    let [first, second] = [(); 2].map(|()| open(&place));
    let mut child = case.start(&place);
    let mut latches = first.1.iter();
    while child.hear_if_alive().is_some() {
        let latch = latches.next().expect("it is killed at one of them");
        if case.point == UNWOKEN {
            latch.join().unwrap().count_down().unwrap();
            thread::scope(|scope| {
                let waits = scope.spawn(|| latch.wait_timeout(PATIENCE));
                while place.describe(NAME).participants.iter().all(|it| it.waiting == 0) {
                    thread::yield_now();
                }
                child.say("go");
                waits.join().unwrap().unwrap();
            });
        } else {
            child.say("go");
        }
        if child.hear_if_alive().is_none() {
            break;
        }
        child.say("go");
    }
    assert!(child.was_killed());
    match case.point {
        "barrier: joined" => {
            let latch = &first.1[0];
            assert_eq!(kind(latch.wait_timeout(PATIENCE)), ErrorKind::PeerDied);
            assert_eq!(kind(latch.wait_timeout(MOMENT)), ErrorKind::TimedOut, "told twice");
            open_together([latch, &second.1[0]]);
        }
        UNWOKEN => {}
        _ => {
            let latch = &first.1[0];
            assert_eq!(kind(latch.wait_timeout(MOMENT)), ErrorKind::TimedOut, "it came");
            latch.join().unwrap().count_down().unwrap();
            latch.wait_timeout(PATIENCE).unwrap();
        }
    }
    open_more(&place);
}

fn open_together(latches: [&Latch; 2]) {
    thread::scope(|scope| {
        for latch in latches {
            scope.spawn(|| {
                latch.join().unwrap().count_down().unwrap();
                latch.wait_timeout(PATIENCE).unwrap();
            });
        }
    });
}

/// Other latches work, too.
fn open_more(place: &Place) {
    let options = Named::<[Latch; 64]>::options().directory(place.path());
    for _ in 0..MORE / 64 {
        let [first, second] = [(); 2].map(|()| options.open_or_create("more", [2; 64]).unwrap());
        first.iter().zip(second.iter()).for_each(|(first, second)| open_together([first, second]));
        options.remove("more").unwrap();
    }
}
