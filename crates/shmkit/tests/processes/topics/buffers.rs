//! Large messages, which are loaned and borrowed by processes that are killed or stopped.

use std::collections::BTreeSet;

use shmkit::{ErrorKind, Options, Topic, WhenFull};

use crate::children::{Child, Link};
use crate::test_dir::TestDir;
use crate::times::TIMEOUT;
use crate::values::{Random, seed_of, value};

const NAME: &str = "frames";
/// More than 4 KiB: it is in buffers.
type Value = [u64; 600];
const DEPTH: u32 = 2;
const SPARE: u32 = 6;
const TASKS: [&str; 4] = ["publish", "loan", "borrow", "reclaim"];

fn options(dir: &TestDir) -> Options<Topic<Value>> {
    let options = Topic::<Value>::options().directory(dir.path()).depth(DEPTH);
    options.spare_buffers(SPARE).when_full(WhenFull::Overwrite)
}

/// Does its task once.
pub(crate) fn crash_role(link: &mut Link) {
    let topic = Topic::<Value>::open(NAME).unwrap();
    match link.task().as_str() {
        "publish" => _ = topic.publisher().unwrap().publish(&value(2)).unwrap(),
        "loan" => {
            let mut publisher = topic.publisher().unwrap();
            let mut loan = publisher.loan().unwrap();
            *loan = value(2);
            loan.send().unwrap();
        }
        "borrow" => {
            let mut subscriber = topic.subscriber_with_history(1).unwrap();
            drop(subscriber.recv_sample().unwrap());
        }
        "reclaim" => {
            // More than there are, so that it looks for those of the dead.
            let mut publishers = [(); 9].map(|()| topic.publisher().unwrap());
            let loans = publishers.each_mut().map(|it| it.loan().map(|_| ()));
            drop(loans);
        }
        other => unreachable!("{other}"),
    }
}

/// Loans a message, or borrows one, and holds it.
pub(crate) fn holder(link: &mut Link) {
    let topic = Topic::<Value>::open(NAME).unwrap();
    let (mut publisher, mut subscriber) =
        (topic.publisher().unwrap(), topic.subscriber_with_history(1).unwrap());
    let loan = publisher.loan().unwrap();
    let sample = subscriber.recv_sample().unwrap();
    link.send("ready");
    link.receive();
    link.send(seed_of(&sample));
    drop((loan, sample));
    link.receive();
}

/// Subscribes, receives one message, borrows another one, and drops them in some order; again and
/// again.
pub(crate) fn churn(link: &mut Link) {
    let task = link.task();
    let numbers: Vec<u64> = task.split(' ').map(|it| it.parse().unwrap()).collect();
    let [seed, rounds] = numbers[..] else { panic!("{task}") };
    let mut random = Random::from_seed(seed);
    let topic = Topic::<Value>::open(NAME).unwrap();
    link.send("ready");
    for _ in 0..rounds {
        let mut subscriber = topic.subscriber_with_history(DEPTH).unwrap();
        let copied = subscriber.try_recv();
        let sample = subscriber.try_recv_sample();
        for received in
            [copied.ok().flatten(), sample.as_ref().ok().and_then(|it| it.as_deref().copied())]
        {
            received.iter().for_each(|message| _ = seed_of(message));
        }
        if random.one_in(2) {
            drop(subscriber);
            drop(sample);
        } else {
            drop(sample);
            drop(subscriber);
        }
    }
    // The last one is killed with a sample, and with a loan.
    let mut subscriber = topic.subscriber_with_history(DEPTH).unwrap();
    let mut publisher = topic.publisher().unwrap();
    let _held = (subscriber.try_recv_sample(), publisher.loan());
    link.send("done");
    link.receive();
}

/// Checks that all goes on, and that no buffer is lost.
fn check_after(dir: &TestDir, topic: &Topic<Value>) {
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    for number in 10..20 {
        publisher.publish(&value(number)).unwrap();
        let received = loop {
            match subscriber.recv_timeout(TIMEOUT) {
                Ok(message) => break seed_of(&message),
                Err(error) => assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}"),
            }
        };
        assert_eq!(received, number);
    }
    drop((publisher, subscriber));
    // More than there can be at a time, so that those of the dead are looked for.
    let mut publishers: Vec<_> = (0..=SPARE).map(|_| topic.publisher().unwrap()).collect();
    let loans: Vec<_> = publishers.iter_mut().map(|it| it.loan()).collect();
    let count = loans.iter().filter(|it| it.is_ok()).count();
    assert_eq!(count, SPARE as usize, "a buffer is lost");
    drop(loans);
    drop(publishers);
    dir.repair();
    let description = dir.describe(NAME);
    assert_eq!(description.participants.len(), 0, "left: {:?}", description.participants);
    let state = &description.parts[0].state;
    let number = |name| state.number(name).unwrap();
    assert_eq!(number("buffers"), u64::from(DEPTH + SPARE));
    assert_eq!((number("buffers_lent"), number("samples")), (0, 0));
    assert_eq!(number("buffers_free"), u64::from(SPARE), "a buffer is lost");
}

#[test]
fn a_process_killed_at_any_point_with_a_buffer_loses_none_and_stops_nobody() {
    let mut reached = BTreeSet::new();
    for task in TASKS {
        for point in shmkit::crash::TOPIC_BUFFER_POINTS {
            println!("{task}, {point:?}");
            let dir = TestDir::new();
            let topic = options(&dir).create(NAME).unwrap();
            let mut publisher = topic.publisher().unwrap();
            (0..3).for_each(|_| _ = publisher.publish(&value(1)).unwrap());
            if task == "reclaim" {
                // The child finds the buffer of this one.
                let other =
                    Child::start_to_die_at(&dir, "topic: buffer taken", "buffer crash", "loan");
                assert!(other.was_killed());
            }
            if Child::start_to_die_at(&dir, point, "buffer crash", task).was_killed() {
                reached.insert(*point);
            }
            drop(publisher);
            check_after(&dir, &topic);
        }
    }
    let all = BTreeSet::from_iter(shmkit::crash::TOPIC_BUFFER_POINTS.iter().copied());
    assert_eq!(reached, all, "no child reached the points that are missing on the left");
}

#[test]
fn a_stopped_holder_of_a_loan_and_of_a_sample_stops_nobody() {
    let dir = TestDir::new();
    let topic = options(&dir).create(NAME).unwrap();
    let mut publisher = topic.publisher().unwrap();
    publisher.publish(&value(7)).unwrap();
    let mut child = Child::start_ready(&dir, "buffer holder", "");
    child.stop();
    let mut subscriber = topic.subscriber().unwrap();
    for number in 100..200 {
        publisher.publish(&value(number)).unwrap();
        assert_eq!(seed_of(&subscriber.recv_timeout(TIMEOUT).unwrap()), number);
    }
    child.resume();
    assert_eq!(child.ask("what is it?"), "7");
    child.kill();
    drop((publisher, subscriber));
    check_after(&dir, &topic);
}

#[test]
fn subscribing_borrowing_and_dropping_in_any_order_with_kills_takes_no_memory() {
    churn_in_children(20);
}

/// To run it:
/// `cargo test --release -p shmkit --test processes -- --ignored --nocapture a_hundred_thousand`
#[test]
#[ignore = "it takes a minute"]
fn subscribing_and_borrowing_a_hundred_thousand_times_with_kills_takes_no_memory() {
    churn_in_children(1_000);
}

/// Each child does 100 rounds, and is killed in the last one.
fn churn_in_children(children: u64) {
    const ROUNDS: u64 = 99;
    let mut random = Random::new();
    let dir = TestDir::new();
    let topic = options(&dir).create(NAME).unwrap();
    let path = dir.path().join("frames.shmkit");
    let size = std::fs::metadata(&path).unwrap().len();
    let mut publisher = topic.publisher().unwrap();
    for number in 0..children {
        publisher.publish(&value(number)).unwrap();
        let task = format!("{} {ROUNDS}", random.next() >> 1);
        let mut child = Child::start_ready(&dir, "buffer churn", task);
        publisher.publish(&value(number)).unwrap();
        assert_eq!(child.receive(), "done");
        child.kill();
    }
    drop(publisher);
    check_after(&dir, &topic);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), size);
}
