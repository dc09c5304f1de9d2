//! A process stops in the middle of opening, leaving or removing an object, and another uses the
//! same name: the orders of events in which two objects could get one name.

use shmkit::{ErrorKind, Latest, Lifetime};

use crate::children::{Child, Link};
use crate::test_dir::{LatestOptions, TestDir, kind};

const NAME: &str = "shared";
const FILE: &str = "shared.shmkit";

fn while_used(options: LatestOptions<u64>) -> LatestOptions<u64> {
    options.lifetime(Lifetime::WhileUsed)
}

/// Opens or creates the object, reports its value, and leaves when told to.
pub(crate) fn opener(link: &mut Link) {
    let latest = match link.task().as_str() {
        "while used" => while_used(Latest::options()).open_or_create(NAME).unwrap(),
        "persistent" => Latest::open_or_create(NAME).unwrap(),
        other => unreachable!("{other}"),
    };
    let value = latest.get();
    link.send(value.map_or_else(|error| format!("{:?}", error.kind()), |it| it.to_string()));
    if link.receive() == "leave" {
        drop(latest);
        link.send("left");
        link.receive();
    }
}

/// Leaves an object whose lifetime is `WhileUsed`, and whose last user was killed.
fn abandon_object(dir: &TestDir) {
    let mut child = Child::start(dir, "opener", "while used");
    assert_eq!(child.receive(), "Empty");
    child.kill();
    assert_eq!(dir.files(), [FILE]);
}

#[test]
fn an_object_that_its_last_user_is_leaving_cannot_be_opened() {
    let dir = TestDir::new();
    let options = while_used(dir.latest());
    let point = "leave: nobody else present";
    let mut last = Child::start_to_stop_at(&dir, point, "opener", "while used");
    assert_eq!(last.receive(), "Empty");
    last.send("leave");
    last.wait_for_stop();
    // The last user is stopped and not dead: nothing is taken from it.
    assert_eq!(kind(options.open(NAME)), ErrorKind::Busy);
    last.resume();
    assert_eq!(last.receive(), "left");
    assert_eq!(dir.files(), [""; 0]);
    options.create(NAME).expect("the name is free");
}

#[test]
fn a_late_removal_of_an_abandoned_object_spares_the_new_object() {
    let dir = TestDir::new();
    abandon_object(&dir);
    let point = "retire: gate not yet held";
    let mut late = Child::start_and_stop_at(&dir, point, "opener", "while used");
    let new = while_used(dir.latest()).open_or_create(NAME).unwrap();
    new.writer().unwrap().set(&5).unwrap();
    late.resume();
    assert_eq!(late.receive(), "5", "the child opened the new object");
    assert_eq!(dir.files(), [FILE]);
    assert_eq!(new.changes().try_next().unwrap(), None, "the new object was not removed");
}

#[test]
fn an_object_whose_removal_another_is_finishing_cannot_be_opened() {
    let dir = TestDir::new();
    let options = while_used(dir.latest());
    abandon_object(&dir);
    let mut finishing = Child::start_and_stop_at(&dir, "retire: marked", "opener", "while used");
    assert_eq!(kind(options.open_or_create(NAME)), ErrorKind::Busy);
    finishing.resume();
    assert_eq!(finishing.receive(), "Empty");
    let latest = options.open(NAME).unwrap();
    latest.writer().unwrap().set(&6).unwrap();
    assert_eq!(finishing.ask("leave"), "left");
    assert_eq!(latest.get().unwrap(), 6);
}

#[test]
fn an_opener_that_meets_a_removed_object_joins_the_new_one() {
    let dir = TestDir::new();
    let options = dir.latest::<u64>();
    drop(options.create(NAME).unwrap());
    let point = "open: file open";
    let mut opener = Child::start_and_stop_at(&dir, point, "opener", "persistent");
    options.remove(NAME).unwrap();
    let new = options.create(NAME).unwrap();
    new.writer().unwrap().set(&3).unwrap();
    opener.resume();
    assert_eq!(opener.receive(), "3");
    assert_eq!(dir.describe(NAME).readers, 2, "the child is counted in the new object");
}

#[test]
fn an_object_that_is_removed_while_it_is_opened_is_closed_to_its_opener() {
    for point in ["open: header read", "open: mapped", "open: present"] {
        let dir = TestDir::new();
        let options = dir.latest::<u64>();
        options.create(NAME).unwrap().writer().unwrap().set(&1).unwrap();
        let mut opener = Child::start_and_stop_at(&dir, point, "opener", "persistent");
        options.remove(NAME).expect("the opener does not hold the gate");
        let new = options.create(NAME).unwrap();
        new.writer().unwrap().set(&3).unwrap();
        opener.resume();
        assert_eq!(opener.receive(), "Closed", "{point}");
        assert_eq!(opener.ask("leave"), "left", "{point}");
        assert_eq!(options.open(NAME).unwrap().get().unwrap(), 3, "{point}: the new one stays");
    }
}

/// On Linux the removal itself deletes the file. On Windows a file that is still mapped is deleted
/// by the process that closes it last.
#[test]
fn a_removal_while_another_process_closes_the_object_deletes_the_file() {
    for point in ["leave: still mapped", "leave: checked whether removed"] {
        let dir = TestDir::new();
        let mut leaving = Child::start_to_stop_at(&dir, point, "opener", "persistent");
        assert_eq!(leaving.receive(), "Empty");
        leaving.send("leave");
        leaving.wait_for_stop();
        dir.latest::<u64>().remove(NAME).unwrap();
        leaving.resume();
        assert_eq!(leaving.receive(), "left");
        assert_eq!(dir.files(), [""; 0], "{point}");
    }
}

#[test]
fn an_object_in_creation_is_whole_or_not_found() {
    for (point, is_found) in [
        ("create: unnamed file made", false),
        ("create: contents written", false),
        ("create: locked", false),
        ("create: named", true),
        ("create: mapped", true),
    ] {
        let dir = TestDir::new();
        let options = while_used(dir.latest());
        let mut creator = Child::start_and_stop_at(&dir, point, "opener", "while used");
        assert_eq!(options.open(NAME).is_ok(), is_found, "{point}");
        let latest = options.open_or_create(NAME).unwrap();
        latest.writer().unwrap().set(&7).unwrap();
        creator.resume();
        assert_eq!(creator.receive(), "7", "{point}");
        assert_eq!(creator.ask("leave"), "left");
        assert_eq!(options.open(NAME).unwrap().get().unwrap(), 7, "{point}");
    }
}
