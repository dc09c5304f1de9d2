//! A stopped process is not dead.

use shmkit::{ErrorKind, Latest, Lifetime};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, kind};
use crate::times::{SLOW_CHECKS, TIMEOUT};
use crate::values::{seed_of, value};

const NAME: &str = "count";

/// Large, so that its writer can be stopped half-way.
type Large = [u64; 8192];

/// Sets values without a pause.
pub(crate) fn busy_writer(link: &mut Link) {
    let latest = Latest::<Large>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    link.send("ready");
    let values = [Box::new(value::<8192>(1)), Box::new(value::<8192>(2))];
    for value in values.iter().cycle() {
        writer.set(value).unwrap();
    }
}

/// Waits for changes, and reports each.
pub(crate) fn listener(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    let mut changes = latest.changes();
    link.send("ready");
    loop {
        match changes.next() {
            Ok(number) => link.send(number),
            Err(error) => link.send(format!("{:?}", error.kind())),
        }
    }
}

#[test]
fn a_stopped_writer_keeps_its_role() {
    let dir = TestDir::new();
    let latest = dir.latest::<Large>().create(NAME).unwrap();
    let child = Child::start_ready(&dir, "busy writer", "");
    let mut changes = latest.changes();
    for _ in 0..3 {
        changes.next_timeout(TIMEOUT).unwrap();
        child.stop();
        // Values that it set before it stopped.
        while changes.try_next().unwrap().is_some() {}
        assert_eq!(kind(changes.next_timeout(SLOW_CHECKS)), ErrorKind::TimedOut, "no PeerDied");
        assert_eq!(kind(latest.writer()), ErrorKind::RoleTaken);
        dir.assert_all_alive(NAME);
        seed_of(&latest.get().unwrap());
        child.resume();
        changes.next_timeout(TIMEOUT).unwrap();
    }
    assert_eq!(dir.describe(NAME).parts[0].state.number("deaths").unwrap(), 0);
}

#[test]
fn a_writer_stopped_in_its_turn_is_waited_for() {
    let dir = TestDir::new();
    let latest = dir.latest::<Large>().shared_writers(true).create(NAME).unwrap();
    let child = Child::start_ready(&dir, "busy writer", "");
    let mut changes = latest.changes();
    loop {
        child.stop();
        if dir.describe(NAME).participants.iter().any(|it| it.is_holder) {
            break;
        }
        child.resume();
        changes.next_timeout(TIMEOUT).unwrap();
    }
    let mut writer = latest.writer().unwrap();
    std::thread::scope(|scope| {
        let (done, is_done) = std::sync::mpsc::channel();
        scope.spawn(move || {
            writer.set(&value(3)).unwrap();
            done.send(()).unwrap();
        });
        is_done.recv_timeout(SLOW_CHECKS).expect_err("it is the stopped writer's turn");
        while changes.try_next().unwrap().is_some() {}
        assert_eq!(kind(changes.next_timeout(SLOW_CHECKS)), ErrorKind::TimedOut, "no PeerDied");
        dir.assert_all_alive(NAME);
        child.resume();
        is_done.recv_timeout(TIMEOUT).expect("the next turn");
    });
    assert_eq!(dir.describe(NAME).parts[0].state.number("deaths").unwrap(), 0);
}

#[test]
fn a_stopped_reader_delays_no_writer_and_keeps_the_object() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().lifetime(Lifetime::WhileUsed).create(NAME).unwrap();
    let mut child = Child::start_ready(&dir, "listener", "");
    let mut writer = latest.writer().unwrap();
    writer.set(&1).unwrap();
    assert_eq!(child.receive(), "1");
    child.stop();
    for number in 2..10_000 {
        writer.set(&number).unwrap();
    }
    assert_eq!(dir.describe(NAME).readers, 1);
    drop(writer);
    drop(latest);
    dir.assert_all_alive(NAME);

    let latest = dir.latest::<u64>().open(NAME).expect("the stopped reader still uses it");
    assert_eq!(latest.get().unwrap(), 9_999);
    latest.writer().unwrap().set(&10_000).unwrap();
    child.resume();
    let mut last = 1;
    while last < 10_000 {
        let next: u64 = child.receive().parse().expect("a number, and no death");
        assert!(next > last, "{next} after {last}");
        last = next;
    }
}
