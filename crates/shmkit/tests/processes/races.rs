//! Processes that race for one name.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use shmkit::{ErrorKind, FileMapping, Latest, Lifetime};

use crate::children::{Child, Link};
use crate::test_dir::{LatestOptions, TestDir};
use crate::values::Random;

const NAME: &str = "object";
const RACES_IN_ROUND: u64 = 20;
/// 10,000 races by `open_or_create`, and 2,000 by `create`.
const ROUNDS: u64 = 600;
/// One round in this many is by `create`.
const CREATE_EVERY: u64 = 6;
const USERS: usize = 4;
/// How many times the users' objects are compared.
const COMPARISONS: u64 = 500;
/// The points at which some users die. An empty one is never reached.
const CRASH_POINTS: [&str; 8] = [
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

fn arrivals_path() -> PathBuf {
    shmkit::default_directory().join("arrivals")
}

/// Waits for the other racer: the word counts arrivals.
fn wait_for_other(word: &AtomicU64, arrivals: &mut u64) {
    // ORDERING: SeqCst; the test is not about orderings.
    word.fetch_add(1, SeqCst);
    *arrivals += 2;
    while word.load(SeqCst) < *arrivals {
        std::thread::yield_now();
    }
}

/// Races with another process to create each object.
pub(crate) fn racer(link: &mut Link) {
    let me: u64 = link.task().parse().unwrap();
    let region = FileMapping::open(arrivals_path()).unwrap().map().unwrap();
    let [word, created] = region.words(0, 2).unwrap() else { unreachable!() };
    let mut arrivals = 0;
    for round in 0..ROUNDS {
        wait_for_other(word, &mut arrivals);
        // Opening an object is faster than creating it, so that the process that is behind catches
        // up with the other within a round.
        let race = |number: u64| {
            let name = format!("{NAME} {number}");
            let latest = if round % CREATE_EVERY != 0 {
                shared().open_or_create(&name).unwrap()
            } else {
                create_or_open(&name, created)
            };
            latest.writer().unwrap().set(&me).unwrap();
            latest
        };
        let objects: Vec<_> = (0..RACES_IN_ROUND).map(race).collect();
        wait_for_other(word, &mut arrivals);
        for (number, latest) in (0..).zip(objects) {
            assert_eq!(latest.sequence(), 2, "the processes set values of different objects");
            if number % 2 == me {
                shared().remove(latest.name()).unwrap();
            }
        }
        link.send(round);
    }
    wait_for_other(word, &mut arrivals);
    let expected = ROUNDS.div_ceil(CREATE_EVERY) * RACES_IN_ROUND;
    // ORDERING: SeqCst; the test is not about orderings.
    assert_eq!(created.load(SeqCst), expected, "one process creates each object");
}

/// Creates the object, or opens what the other process has created.
fn create_or_open(name: &str, created: &AtomicU64) -> Latest<u64> {
    match shared().create(name) {
        Ok(latest) => {
            // ORDERING: SeqCst; the test is not about orderings.
            created.fetch_add(1, SeqCst);
            latest
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
            shared().open(name).expect("an object with a name is whole")
        }
    }
}

#[test]
fn of_two_racing_processes_one_creates_the_object_ten_thousand_times() {
    let dir = TestDir::new();
    std::fs::write(dir.path().join("arrivals"), [0; 16]).unwrap();
    let mut racers = [0, 1].map(|me| Child::start(&dir, "racer", me));
    for round in 0..ROUNDS {
        for racer in &mut racers {
            assert_eq!(racer.receive(), round.to_string());
        }
    }
    for racer in racers {
        assert!(!racer.was_killed());
    }
    assert_eq!(dir.files(), ["arrivals"]);
}

fn while_used(options: LatestOptions<u64>) -> LatestOptions<u64> {
    options.shared_writers(true).lifetime(Lifetime::WhileUsed)
}

fn open_or_create() -> Latest<u64> {
    while_used(Latest::options()).open_or_create(NAME).unwrap()
}

/// Opens, uses and leaves the object at random when told to, and sets and gets its value.
pub(crate) fn user(link: &mut Link) {
    let mut random = Random::from_seed(link.task().parse().unwrap());
    let mut mine: Option<Latest<u64>> = None;
    loop {
        let command = link.receive();
        let (verb, number) = command.split_once(' ').unwrap_or((&command, "0"));
        let number: u64 = number.parse().unwrap();
        match verb {
            "run" => {
                for _ in 0..number {
                    mine = step(mine, random.below(3));
                }
                link.send("done");
            }
            "set" => link.send(mine.as_ref().map_or("none", |mine| set(mine, number))),
            "get" => link.send(mine.as_ref().unwrap().get().unwrap()),
            other => unreachable!("{other}"),
        }
    }
}

fn step(mine: Option<Latest<u64>>, choice: u64) -> Option<Latest<u64>> {
    let Some(mine) = mine else { return Some(open_or_create()) };
    match choice {
        0 => None,
        1 => (set(&mine, 0) == "set").then_some(mine),
        _ => {
            let second_handle = open_or_create();
            drop(second_handle);
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
fn no_process_keeps_a_live_object_whose_name_went_to_another_object() {
    let mut random = Random::new();
    let dir = TestDir::new();
    let start = |random: &mut Random| {
        Child::start_to_die_at(&dir, random.pick(&CRASH_POINTS), "user", random.next())
    };
    let mut users: Vec<_> = (0..USERS).map(|_| start(&mut random)).collect();
    let (mut alone, mut together) = (0, 0);
    for number in 1..=COMPARISONS {
        for user in &mut users {
            user.send(format!("run {}", 1 + random.below(20)));
        }
        for user in &mut users {
            if random.one_in(8) {
                // The sleep synchronizes nothing: it makes the moment of the kill random.
                std::thread::sleep(Duration::from_micros(random.below(300)));
                user.kill();
                *user = start(&mut random);
            } else if user.receive_if_alive().is_none() {
                assert!(std::mem::replace(user, start(&mut random)).was_killed());
            }
        }
        let live: Vec<_> = (0..USERS)
            .filter(|&id| users[id].ask(format!("set {}", number * 10 + id as u64)) == "set")
            .collect();
        let Some(&last) = live.last() else { continue };
        let named = while_used(dir.latest()).open(NAME).expect("the live object has its name");
        assert_eq!(named.get().unwrap(), number * 10 + last as u64, "another object has the name");
        for &id in &live {
            assert_eq!(users[id].ask("get"), named.get().unwrap().to_string(), "two objects");
        }
        *(if live.len() > 1 { &mut together } else { &mut alone }) += 1;
    }
    println!("objects with one user: {alone}, with several: {together}");
    assert!(together > 0);
    drop(users);
    dir.repair();
    assert_eq!(dir.files(), [""; 0]);
}
