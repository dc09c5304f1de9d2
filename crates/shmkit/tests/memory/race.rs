//! Processes that race on one name.

use std::sync::atomic::Ordering::SeqCst;

use shmkit::ErrorKind;
use shmkit::memory::{Region, SharedMemory};

use crate::{Unique, child, task, whole};

const SIZE: u64 = 5000;

/// Where the two wait for each other: the word at 0 counts arrivals, that at 8 winners.
fn meet(place: &Region, arrivals: &mut u64, alive: &mut dyn FnMut()) {
    let word = &place.words(0, 1).unwrap()[0];
    // ORDERING: SeqCst; the test is not about orderings.
    word.fetch_add(1, SeqCst);
    *arrivals += 2;
    while word.load(SeqCst) < *arrivals {
        alive();
        std::thread::yield_now();
    }
}

/// One of the two sides: `after` runs while both are between rounds.
fn race(
    name: &str,
    meeting: &str,
    rounds: u64,
    alive: &mut dyn FnMut(),
    mut after: impl FnMut(u64, u64),
) {
    let meeting = SharedMemory::open(meeting).unwrap().map().unwrap();
    let mut arrivals = 0;
    for round in 1..=rounds {
        meet(&meeting, &mut arrivals, alive);
        let is_race = round % 2 == 0;
        let made = if is_race {
            SharedMemory::create(name, SIZE)
        } else {
            // Whoever finds it made by the other sees all of it, or this is `WrongOptions`.
            SharedMemory::open_or_create(name, SIZE)
        };
        match &made {
            // ORDERING: SeqCst; as above.
            Ok(_) => drop(meeting.words(8, 1).unwrap()[0].fetch_add(u64::from(is_race), SeqCst)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}"),
        }
        let seen = SharedMemory::open(name).unwrap();
        assert_eq!(seen.size().unwrap(), whole(SIZE), "a half-made object was seen");
        meet(&meeting, &mut arrivals, alive);
        // Where memory goes with its last handle, it goes before the next round.
        drop(made);
        // ORDERING: SeqCst; as above.
        after(round, meeting.words(8, 1).unwrap()[0].load(SeqCst));
    }
}

#[test]
fn of_two_who_create_one_wins_and_nobody_sees_half() {
    const ROUNDS: u64 = 5000;
    if let Some(names) = task() {
        let (name, meeting) = names.split_once(' ').unwrap();
        return race(name, meeting, ROUNDS, &mut || (), |_, _| ());
    }
    let (name, meeting) = (Unique::new(), Unique::new());
    let _meeting = SharedMemory::create(&meeting, 16).unwrap();
    let test = "race::of_two_who_create_one_wins_and_nobody_sees_half";
    let mut other = child(test, &format!("{} {}", &*name, &*meeting)).spawn().unwrap();
    let mut alive = || assert!(other.try_wait().unwrap().is_none(), "the other side failed");
    race(&name, &meeting, ROUNDS, &mut alive, |round, winners| {
        assert_eq!(winners, round / 2);
        if cfg!(unix) {
            SharedMemory::remove(&name).unwrap();
        }
    });
    assert!(other.wait().unwrap().success());
}

#[test]
fn create_if_absent_and_destroy_race_without_a_bad_answer() {
    const ROUNDS: u64 = 10_000;
    let work = |name: &str| {
        for _ in 0..ROUNDS {
            let memory = SharedMemory::open_or_create(name, SIZE).unwrap();
            let region = memory.map().unwrap();
            region.write_at(SIZE as usize - 1, &[1]).unwrap();
            // Windows refuses it, and has it gone with the last handle.
            let refusal = if cfg!(windows) { ErrorKind::Unsupported } else { ErrorKind::NotFound };
            match SharedMemory::remove(name) {
                Ok(()) => {}
                Err(error) => assert_eq!(error.kind(), refusal, "{error}"),
            }
        }
    };
    if let Some(name) = task() {
        return work(&name);
    }
    let name = Unique::new();
    let test = "race::create_if_absent_and_destroy_race_without_a_bad_answer";
    let mut other = child(test, &name).spawn().unwrap();
    work(&name);
    assert!(other.wait().unwrap().success());
}
