//! Processes that race on one name.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use shmkit::{ErrorKind, FileMapping, Latest, LatestOptions, Lifetime};

use crate::children::{Child, Link};
use crate::place::Place;
use crate::values::Random;

const NAME: &str = "prize";
const IN_A_HEAT: u64 = 20;
/// 10,000 races by `open_or_create`, and 2,000 by `create`.
const HEATS: u64 = 600;
/// One heat in so many is by `create`.
const CREATE_EVERY: u64 = 6;
const USERS: usize = 4;
/// How often the users' objects are compared.
const COMPARISONS: u64 = 500;
/// Where some users die when they come there, and leave the rest to the others. Empty: nowhere.
const GRAVES: [&str; 8] = [
    "",
    "",
    "create: named",
    "open: gate passed",
    "leave: nobody else present",
    "retire: marked",
    "retire: waiters told",
    "retire: unlinked",
];

fn shared() -> LatestOptions<u64> {
    Latest::options().shared_writers(true)
}

fn meeting_place() -> PathBuf {
    shmkit::default_directory().join("meeting")
}

/// Waits for the other racer: the word counts arrivals.
fn meet(word: &AtomicU64, arrivals: &mut u64) {
    // ORDERING: SeqCst; the test is not about orderings.
    word.fetch_add(1, SeqCst);
    *arrivals += 2;
    while word.load(SeqCst) < *arrivals {
        std::thread::yield_now();
    }
}

/// Races with another for each object, a heat of names at a time.
pub(crate) fn racer(link: &mut Link) {
    let me: u64 = link.task().parse().unwrap();
    let meeting = FileMapping::open(meeting_place()).unwrap().map().unwrap();
    let [met, winners] = meeting.words(0, 2).unwrap() else { unreachable!() };
    let mut arrivals = 0;
    for heat in 0..HEATS {
        meet(met, &mut arrivals);
        // Whoever finds a name taken is quicker, and so catches up with the one who creates.
        let race = |place: u64| {
            let latest = if heat % CREATE_EVERY != 0 {
                shared().open_or_create(&format!("{NAME} {place}")).unwrap()
            } else {
                create(&format!("{NAME} {place}"), winners)
            };
            latest.writer().unwrap().set(&me).unwrap();
            latest
        };
        let raced: Vec<_> = (0..IN_A_HEAT).map(race).collect();
        meet(met, &mut arrivals);
        for (place, latest) in (0..).zip(raced) {
            assert_eq!(latest.sequence(), 2, "the two have not set one object's value");
            if place % 2 == me {
                shared().remove(latest.name()).unwrap();
            }
        }
        link.say(heat);
    }
    meet(met, &mut arrivals);
    let created = HEATS.div_ceil(CREATE_EVERY) * IN_A_HEAT;
    // ORDERING: SeqCst; the test is not about orderings.
    assert_eq!(winners.load(SeqCst), created, "one winner each time");
}

/// Creates the object, or opens what the other has created.
fn create(name: &str, winners: &AtomicU64) -> Latest<u64> {
    match shared().create(name) {
        Ok(latest) => {
            // ORDERING: SeqCst; the test is not about orderings.
            winners.fetch_add(1, SeqCst);
            latest
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
            shared().open(name).expect("what was named is whole")
        }
    }
}

#[test]
fn of_two_who_race_one_creates_ten_thousand_times() {
    let place = Place::new();
    std::fs::write(place.path().join("meeting"), [0; 16]).unwrap();
    let mut racers = [0, 1].map(|me| Child::start(&place, "racer", me));
    for heat in 0..HEATS {
        for racer in &mut racers {
            assert_eq!(racer.hear(), heat.to_string());
        }
    }
    for racer in racers {
        assert!(!racer.was_killed());
    }
    assert_eq!(place.files(), ["meeting"]);
}

fn while_used() -> LatestOptions<u64> {
    shared().lifetime(Lifetime::WhileUsed)
}

/// Opens, uses and leaves at random when told to, and then tells what it was left with.
pub(crate) fn user(link: &mut Link) {
    let mut random = Random::of(link.task().parse().unwrap());
    let mut mine: Option<Latest<u64>> = None;
    loop {
        let word = link.hear();
        let (word, number) = word.split_once(' ').unwrap_or((&word, "0"));
        let number: u64 = number.parse().unwrap();
        match word {
            "go" => {
                for _ in 0..number {
                    mine = step(mine, random.below(3));
                }
                link.say("went");
            }
            "set" => link.say(mine.as_ref().map_or("none", |mine| set(mine, number))),
            "get" => link.say(mine.as_ref().unwrap().get().unwrap()),
            other => unreachable!("{other}"),
        }
    }
}

fn step(mine: Option<Latest<u64>>, choice: u64) -> Option<Latest<u64>> {
    let Some(mine) = mine else {
        return Some(while_used().open_or_create(NAME).unwrap());
    };
    match choice {
        0 => None,
        1 => (set(&mine, 0) == "set").then_some(mine),
        // A second handle comes and goes.
        _ => {
            drop(while_used().open_or_create(NAME).unwrap());
            Some(mine)
        }
    }
}

/// Sets a value, unless the object was removed.
fn set(mine: &Latest<u64>, number: u64) -> &'static str {
    let mut changes = mine.changes();
    loop {
        match changes.try_next().and_then(|_| mine.writer()?.set(&number)) {
            Ok(_) => return "set",
            Err(error) if error.kind() == ErrorKind::PeerDied => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                return "closed";
            }
        }
    }
}

#[test]
fn nobody_is_left_with_a_live_object_whose_name_another_took() {
    let mut random = Random::new();
    let place = Place::new();
    let start = |random: &mut Random| {
        let grave = GRAVES[random.below(GRAVES.len() as u64) as usize];
        Child::start_to_die_at(&place, grave, "user", random.next())
    };
    let mut users: Vec<_> = (0..USERS).map(|_| start(&mut random)).collect();
    let (mut alone, mut together) = (0, 0);
    for number in 1..=COMPARISONS {
        for user in &mut users {
            user.say(format!("go {}", 1 + random.below(20)));
        }
        for user in &mut users {
            if random.below(8) == 0 {
                // No waiting for anything: where the kill falls is to be left to chance.
                std::thread::sleep(Duration::from_micros(random.below(300)));
                user.kill();
                *user = start(&mut random);
            } else if user.hear_if_alive().is_none() {
                assert!(std::mem::replace(user, start(&mut random)).was_killed());
            }
        }
        let with_live_object: Vec<_> = (0..USERS)
            .filter(|&who| users[who].ask(format!("set {}", number * 10 + who as u64)) == "set")
            .collect();
        let Some(&last) = with_live_object.last() else { continue };
        let named = while_used().directory(place.path()).open(NAME).expect("the live object");
        assert_eq!(named.get().unwrap(), number * 10 + last as u64, "the name is another's");
        for &who in &with_live_object {
            assert_eq!(users[who].ask("get"), named.get().unwrap().to_string(), "split");
        }
        *(if with_live_object.len() > 1 { &mut together } else { &mut alone }) += 1;
    }
    println!("live objects of one user: {alone}, of several: {together}");
    assert!(together > 0);
    drop(users);
    place.repair();
    assert_eq!(place.files(), [""; 0]);
}
