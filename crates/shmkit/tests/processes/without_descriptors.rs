//! A process that closes descriptors which are not its own (`closefrom`) harms itself alone.

use shmkit::{Latest, Lifetime};

use crate::children::{Child, Link};
use crate::place::Place;

const NAME: &str = "count";

/// Loses what proves that it lives, and goes on.
pub(crate) fn writer(link: &mut Link) {
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
pub(crate) fn reader(link: &mut Link) {
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
