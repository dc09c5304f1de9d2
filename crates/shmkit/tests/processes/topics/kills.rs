//! Publishers and subscribers are killed at random under load.

use std::collections::HashMap;
use std::time::Duration;

use shmkit::{ErrorKind, Options, Topic, WhenFull};

use crate::children::{Child, Link};
use crate::system::KILLS;
use crate::test_dir::TestDir;
use crate::times::TIMEOUT;
use crate::values::{Random, seed_of, value};

const NAME: &str = "load";
const PUBLISHERS: usize = 2;
const CHILDREN: usize = 4;
const POLICIES: [WhenFull; 3] = [WhenFull::Block, WhenFull::DropNew, WhenFull::Overwrite];
type Value = [u64; 24];

fn options() -> Options<Topic<Value>> {
    Topic::<Value>::options().depth(16)
}

/// The message with a number of a publisher, which no other has.
fn message(publisher: u64, number: u64) -> Value {
    value(publisher << 32 | number)
}

/// Publishes or receives without a pause, and reports its first success.
pub(crate) fn role(link: &mut Link) {
    let task = link.task();
    let numbers: Vec<u64> = task.split(' ').map(|it| it.parse().unwrap()).collect();
    let [publisher, seed] = numbers[..] else { panic!("{task}") };
    let mut random = Random::from_seed(seed);
    let mut reported = false;
    let mut report = || {
        if !reported {
            reported = true;
            link.send("working");
        }
    };
    let topic = options().open(NAME).unwrap();
    let mut number = 0;
    loop {
        // Joining and leaving are part of the load.
        let rounds = 1 + random.below(2_000);
        if publisher == 0 {
            receive(&topic, rounds, &mut report);
            continue;
        }
        let mut to = topic.publisher().unwrap();
        for _ in 0..rounds {
            number += 1;
            to.publish(&message(publisher, number)).unwrap();
            report();
        }
    }
}

/// Receives messages. Checks that they are whole, and that those of each publisher are in order and
/// complete, but for those that were lost or dropped.
fn receive(topic: &Topic<Value>, rounds: u64, report: &mut impl FnMut()) {
    let mut from = topic.subscriber().unwrap();
    let (mut last, mut lost) = (HashMap::new(), 0);
    for _ in 0..rounds {
        match from.recv_timeout(Duration::from_millis(1)) {
            Ok(value) => {
                let seed = seed_of(&value);
                let (publisher, number) = (seed >> 32, seed & 0xffff_ffff);
                // A call that timed out may have counted them.
                if from.lost() > lost {
                    lost = from.lost();
                    last.clear();
                }
                if let Some(last) = last.insert(publisher, number) {
                    let may_miss = topic.when_full() == WhenFull::DropNew;
                    assert!(number > last, "{number} after {last}");
                    assert!(may_miss || number == last + 1, "{number} after {last}: a gap");
                }
                report();
            }
            Err(error) => {
                let kind = error.kind();
                assert!([ErrorKind::TimedOut, ErrorKind::PeerDied].contains(&kind), "{error}");
            }
        }
    }
}

#[test]
fn random_kills_under_load_tear_and_lose_no_message_and_stop_nobody() {
    let mut random = Random::new();
    for when_full in POLICIES {
        println!("{when_full:?}");
        let dir = TestDir::new();
        let options = options().directory(dir.path()).when_full(when_full);
        let topic = options.create(NAME).unwrap();
        let mut next_publisher = 0;
        let mut start = |index: usize, random: &mut Random| {
            next_publisher += 1;
            let publisher = if index < PUBLISHERS { next_publisher } else { 0 };
            Child::start(&dir, "topic load", format!("{publisher} {}", random.next() >> 1))
        };
        let mut children: Vec<_> = (0..CHILDREN).map(|it| start(it, &mut random)).collect();
        for _ in 0..KILLS / POLICIES.len() / 2 {
            let index = random.below(CHILDREN as u64) as usize;
            // One in four is killed while it starts or joins for the first time.
            if !random.one_in(4) {
                assert_eq!(children[index].receive(), "working");
            }
            // The sleep synchronizes nothing: it makes the moment of the kill random.
            std::thread::sleep(Duration::from_micros(random.below(1_500)));
            children[index].kill();
            children[index] = start(index, &mut random);
        }
        for child in &mut children {
            assert_eq!(child.receive(), "working", "the survivors continue");
        }
        children.iter_mut().for_each(Child::kill);
        check_after(&dir, &topic);
    }
}

/// Checks that the dead hold nothing up, and that nothing of them is left after a repair.
fn check_after(dir: &TestDir, topic: &Topic<Value>) {
    let mut subscriber = topic.subscriber().unwrap();
    let mut publisher = topic.publisher().unwrap();
    for number in 1..=40 {
        publisher.publish_timeout(&message(0, number), TIMEOUT).unwrap();
        let received = loop {
            match subscriber.recv_timeout(TIMEOUT) {
                Ok(value) => break seed_of(&value),
                Err(error) => assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}"),
            }
        };
        assert_eq!(received, number);
    }
    dir.repair();
    let description = dir.describe(NAME);
    assert_eq!(description.participants.len(), 2, "left: {:?}", description.participants);
    let state = &description.parts[0].state;
    assert_eq!((state.number("incomplete"), state.number("subscribers")), (Some(0), Some(1)));
}
