//! A writer's death is news to those who wait, once, and its role goes to the next.

use std::time::Duration;

use shmkit::{Changes, ErrorKind, Latest, Lifetime};

use crate::children::{Child, Link};
use crate::place::{Place, kind};

const NAME: &str = "count";
/// Several slices of 50 ms, after each of which a waiting reader asks whether its writer died.
const SLICES: Duration = Duration::from_millis(170);
const SOON: Duration = Duration::from_secs(30);

/// Takes the role, then sets each number that it hears, or leaves.
pub(crate) fn writer(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    link.say("ready");
    loop {
        let word = link.hear();
        let Ok(number) = word.parse() else { break };
        writer.set(&number).unwrap();
        link.say("set");
    }
    drop(writer);
    link.say("left");
    link.hear();
}

/// The same among several writers; at "die" it dies half-way through a value.
pub(crate) fn writer_in_turn(link: &mut Link) {
    writer(link);
}

/// Takes a place among the writers when it is told to.
pub(crate) fn late_writer(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    link.say("open");
    link.hear();
    let _writer = latest.writer().unwrap();
    link.say("ready");
    link.hear();
}

/// Loses what proves that it lives, and goes on.
pub(crate) fn writer_without_descriptors(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&1).unwrap();
    // SAFETY: what used the descriptors is told at its next use that they are closed.
    let closed = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    assert_eq!(closed, 0);
    link.say("closed");
    loop {
        let answer = writer.set(&link.hear().parse().unwrap());
        link.say(answer.map_or_else(|error| error.to_string(), |_| "set".into()));
    }
}

/// Reads, closes every descriptor, and has other files under their numbers when it asks who lives.
pub(crate) fn reader_without_descriptors(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    // SAFETY: what used the descriptors compares what it finds in their place.
    let closed = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    assert_eq!(closed, 0);
    let place = std::env::var_os("SHMKIT_DIR").unwrap();
    let others: Vec<_> = (0..8)
        .map(|number| std::fs::File::create(std::path::Path::new(&place).join(format!("{number}"))))
        .collect();
    assert!(others.iter().all(Result::is_ok));
    link.say(latest.writer().expect_err("nothing to ask through"));
    drop(latest);
    link.say("left");
    link.hear();
}

fn start_writer(place: &Place) -> Child {
    let mut child = Child::start(place, "writer", "");
    assert_eq!(child.hear(), "ready");
    child
}

#[test]
fn a_death_is_told_once_to_each_reader_at_the_first_look() {
    let place = Place::new();
    let latest = place.of::<u64>().create(NAME).unwrap();
    let mut readers: Vec<_> = (0..3).map(|_| latest.changes()).collect();
    let mut late = latest.changes();
    const DEATHS: u64 = 3;
    for round in 1..=DEATHS {
        let mut child = start_writer(&place);
        assert_eq!(child.ask(round), "set");
        for reader in &mut readers {
            assert_eq!(reader.next_timeout(SOON).unwrap(), round);
            assert_eq!(reader.try_next().unwrap(), None, "it lives");
        }
        let pid = child.id();
        child.kill();
        for reader in &mut readers {
            let error = reader.try_next().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PeerDied);
            assert!(error.to_string().contains(&format!("process {pid} (")), "{error}");
            assert_eq!(reader.try_next().unwrap(), None, "told twice");
        }
        assert_eq!(kind(readers[0].next_timeout(SLICES)), ErrorKind::TimedOut);
        assert_eq!(latest.get().unwrap(), round, "the last value stays");
    }
    // Who did not look in between hears of each, too.
    assert_eq!(told(&mut late), (vec![1, 2, 3], DEATHS));
    assert_eq!(told(&mut latest.changes()), (vec![], 1), "the last one was not replaced yet");
}

/// All values and the number of deaths that a reader is told of without waiting.
fn told(changes: &mut Changes<u64>) -> (Vec<u64>, u64) {
    let (mut values, mut deaths) = (Vec::new(), 0);
    loop {
        match changes.try_next() {
            Ok(Some(value)) => values.push(value),
            Ok(None) => return (values, deaths),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}");
                deaths += 1;
            }
        }
    }
}

#[test]
fn a_reader_asleep_is_told_of_the_death_and_then_of_the_new_writer_s_values() {
    let place = Place::new();
    let latest = place.of::<u64>().create(NAME).unwrap();
    let mut child = start_writer(&place);
    let (about_to_wait, waits) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut changes = latest.changes();
            about_to_wait.send(()).unwrap();
            let died = kind(changes.next_timeout(SOON));
            about_to_wait.send(()).unwrap();
            (died, changes.next_timeout(SOON).unwrap())
        });
        waits.recv().unwrap();
        child.kill();
        waits.recv().unwrap();
        let mut next = start_writer(&place);
        assert_eq!(next.ask(7), "set");
        assert_eq!(reader.join().unwrap(), (ErrorKind::PeerDied, 7));
    });
}

#[test]
fn leaving_in_good_order_is_no_death() {
    let place = Place::new();
    let latest = place.of::<u64>().create(NAME).unwrap();
    let mut changes = latest.changes();
    let mut child = start_writer(&place);
    assert_eq!(child.ask("leave"), "left");
    assert_eq!(kind(changes.next_timeout(SLICES)), ErrorKind::TimedOut);
    child.kill();
    assert_eq!(kind(changes.next_timeout(SLICES)), ErrorKind::TimedOut, "it wrote no more");
    assert_eq!(place.describe(NAME).deaths, 0);
}

#[test]
fn a_second_writer_is_refused_while_the_first_lives_and_follows_it_when_it_died() {
    let place = Place::new();
    let latest = place.of::<u64>().create(NAME).unwrap();
    let mut child = start_writer(&place);
    for number in 1..4 {
        let error = latest.writer().err().unwrap();
        assert_eq!(error.kind(), ErrorKind::RoleTaken);
        assert!(error.to_string().contains(&format!("process {} (", child.id())), "{error}");
        assert_eq!(child.ask(number), "set");
    }
    child.kill();
    let mut writer = latest.writer().unwrap();
    assert_eq!(writer.set(&9).unwrap(), 4, "the sequence goes on");
    assert_eq!(place.describe(NAME).deaths, 1);
}

#[test]
fn a_writer_that_closed_its_descriptors_is_told_when_it_was_replaced() {
    let place = Place::new();
    let latest = place.of::<u64>().create(NAME).unwrap();
    let mut child = Child::start(&place, "writer without descriptors", "");
    assert_eq!(child.hear(), "closed");
    assert_eq!(child.ask(2), "set", "nobody took its role yet");
    let mut writer = latest.writer().unwrap();
    writer.set(&3).unwrap();
    let answer = child.ask(4);
    let us = format!("process {} (", std::process::id());
    assert!(answer.contains(&us) && answer.contains("took the role over"), "{answer}");
    assert_eq!(latest.get().unwrap(), 3);
    drop(writer);
    assert!(child.ask(5).contains("place was given away"), "it stays without it");
    assert_eq!((latest.get().unwrap(), latest.sequence()), (3, 3));
}

#[test]
fn one_that_closed_its_descriptors_takes_nobody_for_dead() {
    let place = Place::new();
    let options = place.of::<u64>().lifetime(Lifetime::WhileUsed);
    let latest = options.create(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    let mut child = Child::start(&place, "reader without descriptors", "");
    let answer = child.hear();
    assert!(answer.contains("closed the object's descriptors"), "{answer}");
    assert_eq!(child.hear(), "left");
    assert_eq!(writer.set(&1).unwrap(), 1, "neither robbed nor retired");
    assert_eq!(options.open(NAME).unwrap().get().unwrap(), 1, "nor without its name");
}

#[test]
fn a_place_that_is_being_taken_from_the_dead_is_told_of_once() {
    let place = Place::new();
    let latest = place.of::<u64>().shared_writers(true).max_writers(1).create(NAME).unwrap();
    let mut changes = latest.changes();
    // It is there before the death, and so sweeps nobody when it comes.
    let mut next = Child::start_with(&place, "late writer", "", |it| {
        it.env(shmkit::crash::STOP_VARIABLE, "slot: locked")
    });
    assert_eq!(next.hear(), "open");
    start_writer(&place).kill();
    assert_eq!(told(&mut changes), (vec![], 1));
    next.say("go");
    next.wait_for_stop();
    assert_eq!(told(&mut changes), (vec![], 0), "the lock alone is nobody's life");
    next.go_on();
    assert_eq!(next.hear(), "ready");
    assert_eq!(told(&mut changes), (vec![], 0));
    next.kill();
    assert_eq!(told(&mut changes), (vec![], 1));
}

#[test]
fn one_of_several_writers_who_dies_in_its_turn_gives_it_to_the_next_and_is_told_of() {
    let place = Place::new();
    let latest = place.of::<u64>().shared_writers(true).create(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&1).unwrap();
    let mut changes = latest.changes();
    let point = "latest: slot half written";
    let mut child = Child::start_to_die_at(&place, point, "writer in turn", "");
    assert_eq!(child.hear(), "ready");
    child.say(2);
    assert!(child.was_killed());
    assert_eq!(kind(changes.try_next()), ErrorKind::PeerDied);
    assert_eq!(latest.get().unwrap(), 1);
    assert_eq!(writer.set(&3).unwrap(), 2);
    assert_eq!(told(&mut changes), (vec![3], 0));
}

#[test]
fn one_of_several_writers_who_dies_between_its_turns_is_told_of_once() {
    let place = Place::new();
    let latest = place.of::<u64>().shared_writers(true).create(NAME).unwrap();
    let mut changes = latest.changes();
    let (mut first, mut second) = (start_writer(&place), start_writer(&place));
    first.say(1);
    assert_eq!(first.hear(), "set");
    first.kill();
    // What it set comes before its death, and its death is told before it is swept and after.
    assert_eq!(told(&mut changes), (vec![1], 1));
    drop(place.of::<u64>().open(NAME).unwrap());
    assert_eq!(told(&mut changes), (vec![], 0), "swept is not died again");
    second.say("leave");
    assert_eq!(second.hear(), "left");
    assert_eq!(told(&mut changes), (vec![], 0), "nor is leaving");

    let mut third = start_writer(&place);
    third.kill();
    drop(place.of::<u64>().open(NAME).unwrap());
    assert_eq!(told(&mut changes), (vec![], 1), "told after the sweep too");
}
