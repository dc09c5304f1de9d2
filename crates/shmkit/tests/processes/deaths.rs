//! A writer's death is news to those who wait, once, and its role goes to the next.

use std::time::Duration;

use shmkit::{Changes, ErrorKind, Latest};

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
    assert_eq!(place.describe(NAME).latest().unwrap().deaths, 0);
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
    assert_eq!(place.describe(NAME).latest().unwrap().deaths, 1);
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
