//! One process stands still in the middle of opening, leaving or removing, and another comes: the
//! orders of events in which a name could be split.

use shmkit::{ErrorKind, Latest, LatestOptions, Lifetime};

use crate::children::{Child, Link};
use crate::place::{Place, kind};

const NAME: &str = "shared";
const FILE: &str = "shared.shmkit";

fn while_used() -> LatestOptions<u64> {
    Latest::options().lifetime(Lifetime::WhileUsed)
}

/// Opens or creates, says what it found, and leaves.
pub(crate) fn passer_by(link: &mut Link) {
    let latest = match link.task().as_str() {
        "for use" => while_used().open_or_create(NAME).unwrap(),
        "for ever" => Latest::open_or_create(NAME).unwrap(),
        other => unreachable!("{other}"),
    };
    link.say(latest.get().map_or_else(|error| format!("{:?}", error.kind()), |it| it.to_string()));
    if link.hear() == "leave" {
        drop(latest);
        link.say("left");
        link.hear();
    }
}

/// An object for use only whose user was killed.
fn abandon(place: &Place) {
    let mut child = Child::start(place, "passer-by", "for use");
    assert_eq!(child.hear(), "Empty");
    child.kill();
    assert_eq!(place.files(), [FILE]);
}

#[test]
fn nobody_enters_while_the_last_one_leaves() {
    let place = Place::new();
    let options = while_used().directory(place.path());
    let point = "leave: nobody else present";
    let mut leaver = Child::start_with(&place, "passer-by", "for use", |command| {
        command.env(shmkit::crash::STOP_VARIABLE, point)
    });
    assert_eq!(leaver.hear(), "Empty");
    leaver.say("leave");
    leaver.wait_for_stop();
    // Stopped, not dead: nobody goes over its head.
    assert_eq!(kind(options.open(NAME)), ErrorKind::Busy);
    leaver.go_on();
    assert_eq!(leaver.hear(), "left");
    assert_eq!(place.files(), [""; 0]);
    options.create(NAME).expect("the name is free");
}

#[test]
fn who_comes_late_to_a_removal_leaves_the_new_object_alone() {
    let place = Place::new();
    abandon(&place);
    let point = "retire: gate not yet held";
    let mut late = Child::start_to_stop_at(&place, point, "passer-by", "for use");
    let new = while_used().directory(place.path()).open_or_create(NAME).unwrap();
    new.writer().unwrap().set(&5).unwrap();
    late.go_on();
    assert_eq!(late.hear(), "5", "it found the new one");
    assert_eq!(place.files(), [FILE]);
    assert_eq!(new.changes().try_next().unwrap(), None, "nobody removed it");
}

#[test]
fn nobody_enters_while_another_finishes_a_removal() {
    let place = Place::new();
    let options = while_used().directory(place.path());
    abandon(&place);
    let mut finisher = Child::start_to_stop_at(&place, "retire: marked", "passer-by", "for use");
    assert_eq!(kind(options.open_or_create(NAME)), ErrorKind::Busy);
    finisher.go_on();
    assert_eq!(finisher.hear(), "Empty");
    let latest = options.open(NAME).unwrap();
    latest.writer().unwrap().set(&6).unwrap();
    assert_eq!(finisher.ask("leave"), "left");
    assert_eq!(latest.get().unwrap(), 6);
}

#[test]
fn who_met_the_old_object_while_opening_is_present_in_the_new_one() {
    let place = Place::new();
    let options = place.of::<u64>();
    drop(options.create(NAME).unwrap());
    let point = "open: lock file open";
    let mut opener = Child::start_to_stop_at(&place, point, "passer-by", "for ever");
    options.remove(NAME).unwrap();
    let new = options.create(NAME).unwrap();
    new.writer().unwrap().set(&3).unwrap();
    opener.go_on();
    assert_eq!(opener.hear(), "3");
    assert_eq!(place.describe(NAME).readers, 2, "its presence is in the old one");
}

#[test]
fn what_stands_between_is_opened_whole_or_not_there() {
    for (point, is_there) in [
        ("create: unnamed file made", false),
        ("create: contents written", false),
        ("create: locked", false),
        ("create: named", true),
        ("create: mapped", true),
    ] {
        let place = Place::new();
        let options = while_used().directory(place.path());
        let mut creator = Child::start_to_stop_at(&place, point, "passer-by", "for use");
        assert_eq!(options.open(NAME).is_ok(), is_there, "{point}");
        let latest = options.open_or_create(NAME).unwrap();
        latest.writer().unwrap().set(&7).unwrap();
        creator.go_on();
        assert_eq!(creator.hear(), "7", "{point}");
        assert_eq!(creator.ask("leave"), "left");
        assert_eq!(options.open(NAME).unwrap().get().unwrap(), 7, "{point}");
    }
}
