//! Publishers and subscribers are killed at random under load. The numbers of the messages show
//! that only those are lost that subscribers are told to have lost.

use std::collections::HashMap;
use std::time::Duration;

use shmkit::{ErrorKind, Message, Options, Topic, WhenFull};

use crate::children::{Child, Link};
use crate::system::KILLS;
use crate::test_dir::TestDir;
use crate::times::TIMEOUT;
use crate::values::{Random, TEN_THOUSAND, seed_of, value};

const NAME: &str = "load";
const PUBLISHERS: usize = 2;
const CHILDREN: usize = 4;
const POLICIES: [WhenFull; 3] = [WhenFull::Block, WhenFull::DropNew, WhenFull::Overwrite];
const WORDS: usize = 24;
type Value = [u64; WORDS];

/// A message that follows from a seed.
trait Load: Message<Owned: AsRef<[u64]>> {
    /// Publishes the message with this seed.
    fn with<R>(seed: u64, publish: impl FnOnce(&Self) -> R) -> R;

    /// How many words the message has.
    fn length(seed: u64) -> usize;
}

impl Load for Value {
    fn with<R>(seed: u64, publish: impl FnOnce(&Self) -> R) -> R {
        publish(&value(seed))
    }

    fn length(_: u64) -> usize {
        WORDS
    }
}

/// A list of 1 to 24 words.
impl Load for [u64] {
    fn with<R>(seed: u64, publish: impl FnOnce(&Self) -> R) -> R {
        publish(&value::<WORDS>(seed)[..Self::length(seed)])
    }

    fn length(seed: u64) -> usize {
        1 + (seed % WORDS as u64) as usize
    }
}

/// The seed of a message, after a check that it is not torn.
fn seed_in<M: Load + ?Sized>(message: &M::Owned) -> u64 {
    let found = message.as_ref();
    let seed = found[0];
    assert_eq!(found.len(), M::length(seed), "of another message");
    let mut whole = value::<WORDS>(seed);
    whole[..found.len()].copy_from_slice(found);
    seed_of(&whole)
}

fn options<M: Message + ?Sized>() -> Options<Topic<M>> {
    Topic::<M>::options().depth(16)
}

/// The seed of the message with a number of a publisher, which no other has.
fn seed(publisher: u64, number: u64) -> u64 {
    publisher << 32 | number
}

/// Publishes or receives without a pause, and reports its first success.
pub(crate) fn role(link: &mut Link) {
    let task = link.task();
    let numbers: Vec<u64> = task.split(' ').map(|it| it.parse().unwrap()).collect();
    let [publisher, seed, lists] = numbers[..] else { panic!("{task}") };
    let random = Random::from_seed(seed);
    match lists {
        0 => work(link, options::<Value>().open(NAME).unwrap(), publisher, random),
        _ => work(link, options::<[u64]>().open(NAME).unwrap(), publisher, random),
    }
}

fn work<M: Load + ?Sized>(link: &mut Link, topic: Topic<M>, publisher: u64, mut random: Random) {
    let mut reported = false;
    let mut report = || {
        if !reported {
            reported = true;
            link.send("working");
        }
    };
    let mut number = 1;
    loop {
        // Joining and leaving are part of the load.
        let rounds = 1 + random.below(2_000);
        if publisher == 0 {
            receive(&topic, rounds, &mut report);
            continue;
        }
        let mut to = topic.publisher().unwrap();
        for _ in 0..rounds {
            let dropped = to.dropped();
            M::with(seed(publisher, number), |message| to.publish(message)).unwrap();
            // One that was dropped has no number, so that subscribers find no gap.
            number += u64::from(to.dropped() == dropped);
            report();
        }
    }
}

/// Receives messages. Checks that they are whole, and that those of each publisher are in order and
/// complete, but for as many as were lost.
fn receive<M: Load + ?Sized>(topic: &Topic<M>, rounds: u64, report: &mut impl FnMut()) {
    let mut from = topic.subscriber().unwrap();
    let (mut last, mut missing) = (HashMap::new(), 0);
    for _ in 0..rounds {
        match from.recv_timeout(Duration::from_millis(1)) {
            Ok(message) => {
                let seed = seed_in::<M>(&message);
                let (publisher, number) = (seed >> 32, seed & 0xffff_ffff);
                if let Some(last) = last.insert(publisher, number) {
                    assert!(number > last, "{number} after {last}");
                    missing += number - last - 1;
                    let lost = from.lost();
                    assert!(missing <= lost, "{missing} are missing, and {lost} were told lost");
                }
                report();
            }
            Err(error) => {
                let kind = error.kind();
                assert!([ErrorKind::TimedOut, ErrorKind::PeerDied].contains(&kind), "{error}");
            }
        }
    }
    assert!(topic.when_full() == WhenFull::Overwrite || from.lost() == 0, "{}", from.lost());
}

#[test]
fn random_kills_under_load_tear_and_lose_no_message_and_stop_nobody() {
    kill_at_random(options::<Value>(), 0, KILLS / 4);
}

#[test]
fn random_kills_under_a_load_of_lists_tear_and_lose_no_message_and_stop_nobody() {
    kill_at_random(options::<[u64]>().max_len(WORDS), 1, KILLS / 4);
}

#[test]
#[ignore = "it takes minutes: see `TEN_THOUSAND`"]
fn ten_thousand_random_kills_under_load_tear_and_lose_no_message() {
    kill_at_random(options::<Value>(), 0, TEN_THOUSAND);
}

#[test]
#[ignore = "it takes minutes: see `TEN_THOUSAND`"]
fn ten_thousand_random_kills_under_a_load_of_lists_tear_and_lose_no_message() {
    kill_at_random(options::<[u64]>().max_len(WORDS), 1, TEN_THOUSAND);
}

fn kill_at_random<M: Load + ?Sized>(options: Options<Topic<M>>, lists: u64, kills: usize) {
    let mut random = Random::new();
    for when_full in POLICIES {
        println!("{when_full:?}");
        let dir = TestDir::new();
        let options = options.clone().directory(dir.path()).when_full(when_full);
        let topic = options.create(NAME).unwrap();
        let mut next_publisher = 0;
        let mut start = |index: usize, random: &mut Random| {
            next_publisher += 1;
            let publisher = if index < PUBLISHERS { next_publisher } else { 0 };
            let task = format!("{publisher} {} {lists}", random.next() >> 1);
            Child::start(&dir, "topic load", task)
        };
        let mut children: Vec<_> = (0..CHILDREN).map(|it| start(it, &mut random)).collect();
        for _ in 0..kills.div_ceil(POLICIES.len()) {
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
fn check_after<M: Load + ?Sized>(dir: &TestDir, topic: &Topic<M>) {
    let mut subscriber = topic.subscriber().unwrap();
    let mut publisher = topic.publisher().unwrap();
    for number in 1..=40 {
        let publish = |message: &M| publisher.publish_timeout(message, TIMEOUT);
        M::with(seed(0, number), publish).unwrap();
        let received = loop {
            match subscriber.recv_timeout(TIMEOUT) {
                Ok(message) => break seed_in::<M>(&message),
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
