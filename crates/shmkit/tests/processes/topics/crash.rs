//! A child is killed at every crash point of a topic; then the others continue.

use std::collections::BTreeSet;

use shmkit::{ErrorKind, Options, Topic, WhenFull};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, kind};
use crate::times::{SLOW_CHECKS, TIMEOUT};
use crate::values::{seed_of, value};

const NAME: &str = "messages";
type Value = [u64; 16];
const DEPTH: u32 = 4;
/// The seeds of the messages that are published before the child runs, by the child, and after its
/// death.
const BEFORE: u64 = 1;
const BY_CHILD: u64 = 2;
const AFTER: u64 = 3;
/// What the child does.
const TASKS: [&str; 3] = ["publish", "subscribe", "skip"];

const POLICIES: [WhenFull; 3] = [WhenFull::Block, WhenFull::DropNew, WhenFull::Overwrite];

fn options(dir: &TestDir) -> Options<Topic<Value>> {
    Topic::<Value>::options().directory(dir.path()).depth(DEPTH)
}

/// Does its task.
pub(crate) fn role(link: &mut Link) {
    let topic = Topic::<Value>::open(NAME).unwrap();
    match link.task().as_str() {
        "publish" => _ = topic.publisher().unwrap().publish(&value(BY_CHILD)).unwrap(),
        "subscribe" => drop(topic.subscriber().unwrap()),
        "skip" => {
            let mut subscriber = topic.subscriber_with_history(DEPTH).unwrap();
            while let Ok(Some(_)) | Err(_) = subscriber.try_recv() {}
        }
        other => unreachable!("{other}"),
    }
}

#[test]
fn a_process_killed_at_any_point_of_a_topic_stops_nobody() {
    let mut reached = BTreeSet::new();
    for when_full in POLICIES {
        for task in TASKS {
            for point in shmkit::crash::TOPIC_POINTS {
                if killed_at(when_full, task, point) {
                    reached.insert(*point);
                }
            }
        }
    }
    let all = BTreeSet::from_iter(shmkit::crash::TOPIC_POINTS.iter().copied());
    assert_eq!(reached, all, "no child reached the points that are missing on the left");
}

#[test]
fn a_publisher_that_is_stopped_in_a_message_keeps_its_place() {
    let dir = TestDir::new();
    let topic = options(&dir).create(NAME).unwrap();
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    let child = Child::start_and_stop_at(&dir, "topic: half written", "topic crash", "publish");
    publisher.publish(&value(AFTER)).unwrap();
    assert_eq!(kind(subscriber.recv_timeout(SLOW_CHECKS)), ErrorKind::TimedOut);
    dir.assert_all_alive(NAME);
    child.resume();
    let received = [(); 2].map(|()| seed_of(&subscriber.recv_timeout(TIMEOUT).unwrap()));
    assert_eq!(received, [BY_CHILD, AFTER]);
    assert!(!child.was_killed());
}

/// Whether a child that does `task` was killed at `point`. Checks that the others go on.
fn killed_at(when_full: WhenFull, task: &str, point: &str) -> bool {
    println!("{when_full:?}, {task}, {point:?}");
    let dir = TestDir::new();
    let topic = options(&dir).when_full(when_full).create(NAME).unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    publisher.publish(&value(BEFORE)).unwrap();
    let mut abandoned = false;
    if task == "skip" {
        // The child finds this claim abandoned.
        let other = Child::start_to_die_at(&dir, "topic: half written", "topic crash", "publish");
        abandoned = other.was_killed();
        assert!(abandoned);
    }
    let killed = Child::start_to_die_at(&dir, point, "topic crash", task).was_killed();

    assert_eq!(seed_of(&subscriber.recv_timeout(TIMEOUT).unwrap()), BEFORE);
    // Twice around, so that every entry is needed.
    let (mut by_child, mut deaths) = (0, 0);
    for _ in 0..2 * DEPTH {
        publisher.publish_timeout(&value(AFTER), TIMEOUT).unwrap();
        loop {
            match subscriber.recv_timeout(TIMEOUT) {
                Ok(message) if seed_of(&message) == AFTER => break,
                Ok(message) => {
                    assert_eq!(seed_of(&message), BY_CHILD);
                    by_child += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}");
                    deaths += 1;
                }
            }
        }
    }
    // A message that was not complete is not received, and one that was is.
    let published = task == "publish" && !killed;
    assert_eq!(by_child, u64::from(published), "{task} {point}");
    assert!(deaths <= 1 + u64::from(abandoned));
    assert_eq!(subscriber.lost(), 0);
    assert_eq!(publisher.subscribers().unwrap(), 1);
    dir.repair();
    let users = dir.describe(NAME).participants;
    assert_eq!(users.len(), 2, "left: {users:?}");
    drop((publisher, subscriber));
    options(&dir).remove(NAME).unwrap();
    killed
}
