//! A child is killed at each crash point of a queue: then each message is received that was sent,
//! none twice after it was acknowledged, and no place in the queue is lost.

use std::collections::BTreeSet;

use shmkit::{ErrorKind, Queue};

use super::{NAME, options, receive_all};
use crate::children::{Child, Link};
use crate::test_dir::{TestDir, kind};
use crate::times::{SLOW_CHECKS, TIMEOUT};

const WAITERS_NOT_WOKEN: &str = "wait: word changed, nobody woken";
/// How many messages are there before the child runs.
const BEFORE: u64 = 100;
/// The first message of the child.
const BY_CHILD: u64 = 1_000_000;

/// What the child does, with priorities or without.
#[derive(Clone, Copy, PartialEq)]
enum Operation {
    /// It sends and receives, and says so, without an end.
    Work,
    /// It waits for what another process left that was killed.
    Wait,
    /// It sends a message, for which the test waits.
    Send,
    /// It acknowledges a message, for whose place the test waits.
    Acknowledge,
}

use Operation::{Acknowledge, Send, Wait, Work};

const OPERATIONS: [(&str, Operation); 4] =
    [("work", Work), ("wait", Wait), ("send", Send), ("acknowledge", Acknowledge)];

/// At which points a child is killed in an operation.
const CASES: [(&str, &[&str]); 4] = [
    (
        "work",
        &[
            "queue: slot in writing",
            "queue: slot written, not ready",
            "queue: ready, not in line",
            "queue: in line, tail not moved",
            "queue: sent, nobody told",
            "queue: taken, head not moved",
            "queue: taken, not counted",
            "queue: counted, not handed over",
            "queue: acknowledged, nobody told",
            "queue: lock taken",
            "queue: ready, not in order",
            "queue: out of order, not taken",
        ],
    ),
    (
        "wait",
        &["queue: dead holder found", "queue: returned, not announced", "queue: order half built"],
    ),
    ("send", &["queue: sent, nobody told", WAITERS_NOT_WOKEN]),
    ("acknowledge", &["queue: acknowledged, nobody told", WAITERS_NOT_WOKEN]),
];

/// Points that only one of the two orders has.
fn is_reached(point: &str, priorities: bool) -> bool {
    let only_with = ["lock taken", "not in order", "out of order", "order half built"];
    let only_without = ["not in line", "tail not moved", "head not moved"];
    let has_any = |parts: &[&str]| parts.iter().any(|part| point.contains(part));
    if priorities { !has_any(&only_without) } else { !has_any(&only_with) }
}

/// Runs the operation of its task.
pub(crate) fn role(link: &mut Link) {
    let task = link.task();
    let (_, operation) = OPERATIONS.iter().find(|(name, _)| *name == task).unwrap();
    let queue = Queue::<u64>::open(NAME).unwrap();
    match operation {
        Work => work(&queue, link),
        Wait => drop(queue.receiver().unwrap().recv_timeout(TIMEOUT)),
        Send => queue.sender().unwrap().send(&BY_CHILD).unwrap(),
        Acknowledge => {
            let receiver = queue.receiver().unwrap();
            let message = receiver.recv().unwrap();
            link.send("ready");
            link.receive();
            drop(message);
        }
    }
    unreachable!("{task:?} has ended");
}

fn work(queue: &Queue<u64>, link: &mut Link) {
    let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
    for number in BY_CHILD.. {
        link.send(format!("sends {number}"));
        sender.send(&number).unwrap();
        link.send(format!("sent {number}"));
        let message = receiver.recv().unwrap();
        let number = *message;
        link.send(format!("got {number}"));
        message.acknowledge().unwrap();
        link.send(format!("done {number}"));
    }
}

#[test]
fn every_crash_point_of_a_queue_has_a_case() {
    let tested = CASES.iter().flat_map(|(_, points)| points.iter().copied());
    let all = shmkit::crash::QUEUE_POINTS.iter().copied().chain([WAITERS_NOT_WOKEN]);
    assert_eq!(BTreeSet::from_iter(tested), BTreeSet::from_iter(all));
}

#[test]
fn a_process_killed_at_any_point_of_a_queue_loses_no_message_and_repeats_none() {
    for priorities in [false, true] {
        for (operation, points) in CASES {
            for point in points.iter().filter(|point| is_reached(point, priorities)) {
                println!("{operation} at {point:?}, priorities: {priorities}");
                let dir = TestDir::new();
                let depth = if operation == "acknowledge" { 1 } else { 256 };
                let options = options(&dir).depth(depth).priorities(priorities);
                let queue = options.create(NAME).unwrap();
                let start = || Child::start_to_die_at(&dir, point, "queue crash", operation);
                match operation {
                    "work" => check_work(&queue, start),
                    "wait" => check_wait(&dir, &queue, start),
                    "send" => check_send(&dir, &queue, start),
                    _ => check_acknowledge(&dir, &queue, start),
                }
                check_after(&dir, &queue);
            }
        }
    }
}

#[test]
fn a_sender_that_is_stopped_in_a_message_keeps_its_place_and_stops_no_other() {
    for priorities in [false, true] {
        let dir = TestDir::new();
        let queue = options(&dir).depth(2).priorities(priorities).create(NAME).unwrap();
        let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
        let point = "queue: slot written, not ready";
        let child = Child::start_and_stop_at(&dir, point, "queue crash", "send");
        for number in 0..10 {
            sender.send_timeout(&number, TIMEOUT).unwrap();
            assert_eq!(*receiver.recv_timeout(TIMEOUT).unwrap(), number);
        }
        assert_eq!(kind(receiver.recv_timeout(SLOW_CHECKS)), ErrorKind::TimedOut);
        assert_eq!(queue.counts().sending, 1);
        dir.assert_all_alive(NAME);
        child.resume();
        assert_eq!(*receiver.recv_timeout(TIMEOUT).unwrap(), BY_CHILD);
    }
}

/// What a child reported.
#[derive(Default)]
struct Reported {
    begun: BTreeSet<u64>,
    sent: BTreeSet<u64>,
    got: BTreeSet<u64>,
    done: BTreeSet<u64>,
}

fn check_work(queue: &Queue<u64>, start: impl Fn() -> Child) {
    let sender = queue.sender().unwrap();
    (0..BEFORE).for_each(|number| sender.send(&number).unwrap());
    let mut child = start();
    let mut reported = Reported::default();
    while let Some(line) = child.receive_if_alive() {
        let (what, number) = line.split_once(' ').unwrap();
        let set = match what {
            "sends" => &mut reported.begun,
            "sent" => &mut reported.sent,
            "got" => &mut reported.got,
            _ => &mut reported.done,
        };
        assert!(set.insert(number.parse().unwrap()), "{line}: twice");
    }
    assert!(child.was_killed());
    let received = receive_all(queue, &queue.receiver().unwrap());
    let found: BTreeSet<_> = received.iter().copied().collect();
    assert_eq!(found.len(), received.len(), "a message came twice");
    assert!(found.is_disjoint(&reported.done), "an acknowledged message came again");
    for number in (0..BEFORE).chain(reported.sent) {
        // Or it was acknowledged when the child died.
        let is_there = found.contains(&number) || reported.got.contains(&number);
        assert!(is_there, "message {number} is lost");
    }
    let unreported = reported.got.iter().filter(|it| !reported.done.contains(it));
    assert!(unreported.filter(|it| !found.contains(it)).count() <= 1, "messages are lost");
    assert!(found.iter().all(|it| *it < BEFORE || reported.begun.contains(it)), "never sent");
}

fn check_wait(dir: &TestDir, queue: &Queue<u64>, start: impl Fn() -> Child) {
    let sender = queue.sender().unwrap();
    (0..3).for_each(|number| sender.send(&number).unwrap());
    Child::start_ready(dir, "queue holder", 3).kill();
    assert!(start().was_killed(), "the child ended by itself");
    assert_eq!(receive_all(queue, &queue.receiver().unwrap()), [0, 1, 2]);
}

fn check_send(dir: &TestDir, queue: &Queue<u64>, start: impl Fn() -> Child) {
    std::thread::scope(|scope| {
        let receiving = scope.spawn(|| {
            let receiver = queue.receiver().unwrap();
            receiver.recv_timeout(TIMEOUT).unwrap().into_inner()
        });
        dir.wait_for_waiters(NAME, 1);
        sleep_for_certain();
        assert!(start().was_killed(), "the child ended by itself");
        assert_eq!(receiving.join().unwrap(), BY_CHILD);
    });
}

fn check_acknowledge(dir: &TestDir, queue: &Queue<u64>, start: impl Fn() -> Child) {
    let sender = queue.sender().unwrap();
    sender.send(&1).unwrap();
    let mut child = start();
    assert_eq!(child.receive(), "ready");
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| sender.send_timeout(&2, TIMEOUT));
        dir.wait_for_waiters(NAME, 1);
        sleep_for_certain();
        child.send("acknowledge");
        assert!(child.was_killed(), "the child ended by itself");
        sending.join().unwrap().unwrap();
    });
    assert_eq!(receive_all(queue, &queue.receiver().unwrap()), [2]);
}

/// So that a thread that waits also sleeps: otherwise the child does not reach its point, and the
/// test says so.
fn sleep_for_certain() {
    std::thread::sleep(std::time::Duration::from_millis(20));
}

/// Checks that all places of the queue can be used, and that no participant is left.
fn check_after(dir: &TestDir, queue: &Queue<u64>) {
    let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
    let depth = u64::from(queue.depth());
    for round in 0..3 {
        (0..depth).for_each(|number| sender.send_timeout(&(round + number), TIMEOUT).unwrap());
        for number in 0..depth {
            assert_eq!(*receiver.recv_timeout(TIMEOUT).unwrap(), round + number);
        }
    }
    drop((sender, receiver));
    dir.repair();
    let description = dir.describe(NAME);
    assert!(description.is_sound());
    assert!(description.participants.is_empty(), "left: {:?}", description.participants);
}
