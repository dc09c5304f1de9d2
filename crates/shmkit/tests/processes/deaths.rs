//! The death of a writer is reported once to each waiting reader, and its role goes to the next
//! writer.

use shmkit::{Changes, ErrorKind, Latest};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, kind};
use crate::times::{SLOW_CHECKS, TIMEOUT};

const NAME: &str = "count";

/// Takes the writer's role, and sets each number that it receives; then it leaves.
pub(crate) fn writer(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    link.send("ready");
    while let Ok(number) = link.receive().parse() {
        writer.set(&number).unwrap();
        link.send("set");
    }
    drop(writer);
    link.send("left");
    link.receive();
}

/// Opens the object, and takes a writer's role when it is told to.
pub(crate) fn late_writer(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    link.send("open");
    link.receive();
    let _writer = latest.writer().unwrap();
    link.send("ready");
    link.receive();
}

fn start_writer(dir: &TestDir) -> Child {
    Child::start_ready(dir, "writer", "")
}

#[test]
fn a_death_is_reported_once_to_each_reader_at_its_next_look() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().create(NAME).unwrap();
    let mut readers: Vec<_> = (0..3).map(|_| latest.changes()).collect();
    let mut late = latest.changes();
    const DEATHS: u64 = 3;
    for round in 1..=DEATHS {
        let mut child = start_writer(&dir);
        assert_eq!(child.ask(round), "set");
        for reader in &mut readers {
            assert_eq!(reader.next_timeout(TIMEOUT).unwrap(), round);
            assert_eq!(reader.try_next().unwrap(), None, "the writer lives");
        }
        let pid = child.id();
        child.kill();
        for reader in &mut readers {
            let error = reader.try_next().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PeerDied);
            assert!(error.to_string().contains(&format!("process {pid} (")), "{error}");
            assert_eq!(reader.try_next().unwrap(), None, "reported twice");
        }
        assert_eq!(kind(readers[0].next_timeout(SLOW_CHECKS)), ErrorKind::TimedOut);
        assert_eq!(latest.get().unwrap(), round, "the last value stays");
    }
    // A reader that has not looked in between is told of each death.
    assert_eq!(drain(&mut late), (vec![1, 2, 3], DEATHS));
    assert_eq!(drain(&mut latest.changes()), (vec![], 1), "the last writer is not yet replaced");
}

#[test]
fn a_repair_publishes_what_a_dead_writer_had_completed_and_frees_the_right_to_write() {
    for shared in [false, true] {
        let dir = TestDir::new();
        let latest = dir.latest::<u64>().shared_writers(shared).create(NAME).unwrap();
        let point = "latest: slot complete, latest not moved";
        let mut child = Child::start_to_die_at(&dir, point, "writer", "");
        assert_eq!(child.receive(), "ready");
        child.send(7);
        assert!(child.was_killed());
        assert_eq!(dir.describe(NAME).holders().count(), 1);
        assert!(dir.repair()[0].contains("died as the writer: "));
        assert_eq!(dir.describe(NAME).holders().count(), 0, "shared: {shared}");
        assert_eq!(latest.get().unwrap(), 7);
        assert_eq!(latest.writer().unwrap().set(&8).unwrap(), 2, "shared: {shared}");
        assert_eq!(latest.get().unwrap(), 8);
    }
}

/// All values, and the number of deaths, that a reader gets without waiting.
fn drain(changes: &mut Changes<u64>) -> (Vec<u64>, u64) {
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
fn a_sleeping_reader_is_told_of_the_death_and_then_gets_the_new_writer_s_values() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().create(NAME).unwrap();
    let mut child = start_writer(&dir);
    let (waiting, is_waiting) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut changes = latest.changes();
            waiting.send(()).unwrap();
            let died = kind(changes.next_timeout(TIMEOUT));
            waiting.send(()).unwrap();
            (died, changes.next_timeout(TIMEOUT).unwrap())
        });
        is_waiting.recv().unwrap();
        child.kill();
        is_waiting.recv().unwrap();
        let mut next = start_writer(&dir);
        assert_eq!(next.ask(7), "set");
        assert_eq!(reader.join().unwrap(), (ErrorKind::PeerDied, 7));
    });
}

#[test]
fn leaving_is_not_reported_as_a_death() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().create(NAME).unwrap();
    let mut changes = latest.changes();
    let mut child = start_writer(&dir);
    assert_eq!(child.ask("leave"), "left");
    assert_eq!(kind(changes.next_timeout(SLOW_CHECKS)), ErrorKind::TimedOut);
    child.kill();
    let answer = changes.next_timeout(SLOW_CHECKS);
    assert_eq!(kind(answer), ErrorKind::TimedOut, "the process died after it left");
    assert_eq!(dir.describe(NAME).parts[0].state.number("deaths").unwrap(), 0);
}

#[test]
fn a_second_writer_is_refused_while_the_first_lives_and_replaces_it_after_its_death() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().create(NAME).unwrap();
    let mut child = start_writer(&dir);
    for number in 1..4 {
        let error = latest.writer().err().unwrap();
        assert_eq!(error.kind(), ErrorKind::RoleTaken);
        assert!(error.to_string().contains(&format!("process {} (", child.id())), "{error}");
        assert_eq!(child.ask(number), "set");
    }
    child.kill();
    let mut writer = latest.writer().unwrap();
    assert_eq!(writer.set(&9).unwrap(), 4, "the sequence continues");
    assert_eq!(dir.describe(NAME).parts[0].state.number("deaths").unwrap(), 1);
}

#[test]
fn a_death_is_reported_once_while_its_slot_is_being_reused() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().shared_writers(true).max_writers(1).create(NAME).unwrap();
    let mut changes = latest.changes();
    // It opens the object before the death, and so does not reap the dead writer by opening.
    let mut next = Child::start_to_stop_at(&dir, "slot: locked", "late writer", "");
    assert_eq!(next.receive(), "open");
    start_writer(&dir).kill();
    assert_eq!(drain(&mut changes), (vec![], 1));
    next.send("take the role");
    next.wait_for_stop();
    assert_eq!(
        drain(&mut changes),
        (vec![], 0),
        "a locked slot without an entry is not a participant"
    );
    next.resume();
    assert_eq!(next.receive(), "ready");
    assert_eq!(drain(&mut changes), (vec![], 0));
    next.kill();
    assert_eq!(drain(&mut changes), (vec![], 1));
}

#[test]
fn a_shared_writer_that_dies_in_its_turn_gives_the_turn_to_the_next_and_is_reported() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().shared_writers(true).create(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&1).unwrap();
    let mut changes = latest.changes();
    let point = "latest: slot half written";
    let mut child = Child::start_to_die_at(&dir, point, "writer", "");
    assert_eq!(child.receive(), "ready");
    child.send(2);
    assert!(child.was_killed());
    assert_eq!(kind(changes.try_next()), ErrorKind::PeerDied);
    assert_eq!(latest.get().unwrap(), 1);
    assert_eq!(writer.set(&3).unwrap(), 2);
    assert_eq!(drain(&mut changes), (vec![3], 0));
}

#[test]
fn a_shared_writer_that_dies_between_turns_is_reported_once() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().shared_writers(true).create(NAME).unwrap();
    let mut changes = latest.changes();
    let (mut first, mut second) = (start_writer(&dir), start_writer(&dir));
    assert_eq!(first.ask(1), "set");
    first.kill();
    // The value comes before the death of its writer. The death is reported before it is reaped, or
    // after, as here at the end.
    assert_eq!(drain(&mut changes), (vec![1], 1));
    drop(dir.latest::<u64>().open(NAME).unwrap());
    assert_eq!(drain(&mut changes), (vec![], 0), "the reaping is not reported");
    assert_eq!(second.ask("leave"), "left");
    assert_eq!(drain(&mut changes), (vec![], 0), "leaving is not reported");

    let mut third = start_writer(&dir);
    third.kill();
    drop(dir.latest::<u64>().open(NAME).unwrap());
    assert_eq!(drain(&mut changes), (vec![], 1), "reported after it was reaped");
}
