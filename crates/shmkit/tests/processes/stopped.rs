//! Who stands still is not dead.

use std::time::Duration;

use shmkit::{ErrorKind, Latest, Lifetime};

use crate::children::{Child, Link};
use crate::place::{Place, kind};
use crate::values::{seed_of, value};

const NAME: &str = "count";
/// Several slices of 50 ms, after each of which a waiting process asks whether another died.
const SLICES: Duration = Duration::from_millis(170);
const SOON: Duration = Duration::from_secs(30);

/// Large, so that its writer can be stopped half-way.
type Large = [u64; 8192];

/// Sets whole values without a pause.
pub(crate) fn flat_out(link: &mut Link) {
    let latest = Latest::<Large>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    link.say("ready");
    let values = [Box::new(value::<8192>(1)), Box::new(value::<8192>(2))];
    for value in values.iter().cycle() {
        writer.set(value).unwrap();
    }
}

/// Waits for each change, and says its number.
pub(crate) fn listener(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    let mut changes = latest.changes();
    link.say("ready");
    loop {
        match changes.next() {
            Ok(number) => link.say(number),
            Err(error) => link.say(format!("{:?}", error.kind())),
        }
    }
}

fn no_repair_is_due(place: &Place) {
    assert_eq!(place.repair(), [""; 0], "the doctor takes it for dead");
    assert!(place.describe(NAME).participants.iter().all(|member| member.alive));
}

#[test]
fn a_stopped_writer_keeps_its_role() {
    let place = Place::new();
    let latest = place.of::<Large>().create(NAME).unwrap();
    let mut child = Child::start(&place, "flat out", "");
    assert_eq!(child.hear(), "ready");
    let mut changes = latest.changes();
    for _ in 0..3 {
        changes.next_timeout(SOON).unwrap();
        child.stop();
        // What it set before it stopped is still handed out.
        while changes.try_next().unwrap().is_some() {}
        assert_eq!(kind(changes.next_timeout(SLICES)), ErrorKind::TimedOut, "no PeerDied");
        assert_eq!(kind(latest.writer()), ErrorKind::RoleTaken);
        no_repair_is_due(&place);
        seed_of(&latest.get().unwrap());
        child.go_on();
        changes.next_timeout(SOON).unwrap();
    }
    assert_eq!(place.describe(NAME).latest().unwrap().deaths, 0);
}

#[test]
fn a_writer_stopped_in_its_turn_is_waited_for() {
    let place = Place::new();
    let latest = place.of::<Large>().shared_writers(true).create(NAME).unwrap();
    let mut child = Child::start(&place, "flat out", "");
    assert_eq!(child.hear(), "ready");
    let mut changes = latest.changes();
    let stopped_in_its_turn = || {
        child.stop();
        place.describe(NAME).participants.iter().any(|member| member.is_owner)
    };
    while !stopped_in_its_turn() {
        child.go_on();
        changes.next_timeout(SOON).unwrap();
    }
    let mut writer = latest.writer().unwrap();
    std::thread::scope(|scope| {
        let (done, is_done) = std::sync::mpsc::channel();
        scope.spawn(move || {
            writer.set(&value(3)).unwrap();
            done.send(()).unwrap();
        });
        is_done.recv_timeout(SLICES).expect_err("it took the turn of a living one");
        while changes.try_next().unwrap().is_some() {}
        assert_eq!(kind(changes.next_timeout(SLICES)), ErrorKind::TimedOut, "no PeerDied");
        no_repair_is_due(&place);
        child.go_on();
        is_done.recv_timeout(SOON).expect("it goes on in turn");
    });
    assert_eq!(place.describe(NAME).latest().unwrap().deaths, 0);
}

#[test]
fn a_stopped_reader_holds_nobody_up_and_keeps_the_object() {
    let place = Place::new();
    let latest = place.of::<u64>().lifetime(Lifetime::WhileUsed).create(NAME).unwrap();
    let mut child = Child::start(&place, "listener", "");
    assert_eq!(child.hear(), "ready");
    let mut writer = latest.writer().unwrap();
    writer.set(&1).unwrap();
    assert_eq!(child.hear(), "1");
    child.stop();
    for number in 2..10_000 {
        writer.set(&number).unwrap();
    }
    assert_eq!(place.describe(NAME).readers, 1);
    drop(writer);
    drop(latest);
    no_repair_is_due(&place);

    let latest = place.of::<u64>().open(NAME).expect("the stopped reader still uses it");
    assert_eq!(latest.get().unwrap(), 9_999);
    latest.writer().unwrap().set(&10_000).unwrap();
    child.go_on();
    let mut heard = 1;
    while heard < 10_000 {
        let next: u64 = child.hear().parse().expect("a number: nobody died");
        assert!(next > heard, "{next} after {heard}");
        heard = next;
    }
}
