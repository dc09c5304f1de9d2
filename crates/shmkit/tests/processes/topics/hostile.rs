//! A process that writes anything into a topic harms no other process.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use shmkit::memory::Trust;
use shmkit::{AnyTopic, Message, Options, Topic, WhenFull};

use crate::children::{Child, Link};
use crate::test_dir::TestDir;
use crate::values::Random;

const NAME: &str = "scribbled";

/// Publishes, receives, joins and leaves, whatever the answers are, and reports each round.
pub(crate) fn victim(link: &mut Link) {
    match link.task().as_str() {
        "lists" => suffer(link, &Topic::<[u8]>::open(NAME).unwrap(), |number| vec![number; 40]),
        _ => suffer(link, &Topic::<[u64; 8]>::open(NAME).unwrap(), |number| [number.into(); 8]),
    }
}

fn suffer<M, O>(link: &mut Link, topic: &Topic<M>, message: impl Fn(u8) -> O)
where
    M: Message + ?Sized,
    O: std::borrow::Borrow<M>,
{
    let any = AnyTopic::open(None, NAME, Trust::Own).unwrap();
    link.send("ready");
    loop {
        link.receive();
        let short = Duration::from_millis(1);
        for _ in 0..20 {
            let Ok(mut subscriber) = topic.subscriber_with_history(8) else { continue };
            let Ok(mut publisher) = topic.publisher() else { continue };
            for number in 0..20 {
                let message = message(number);
                let _ = publisher.publish_timeout(message.borrow(), short);
                let _ = publisher.try_publish(message.borrow());
                let _ = (subscriber.try_recv(), subscriber.recv_timeout(short), subscriber.lost());
            }
            let _ = (publisher.subscribers(), publisher.check_subscribers());
            let _ = any.subscriber(8).map(|mut it| [it.try_recv(), it.try_recv()]);
        }
        link.send("alive");
    }
}

#[test]
fn scribbling_over_a_topic_ends_no_other_process() {
    scribble(Topic::<[u64; 8]>::options(), "values");
}

#[test]
fn scribbling_over_a_topic_of_lists_ends_no_other_process() {
    scribble(Topic::<[u8]>::options().max_len(64), "lists");
}

fn scribble<M: Message + ?Sized>(options: Options<Topic<M>>, task: &str) {
    let mut random = Random::new();
    for when_full in [WhenFull::Block, WhenFull::DropNew, WhenFull::Overwrite] {
        let dir = TestDir::new();
        let options = options.clone().directory(dir.path());
        let _topic =
            options.depth(8).when_full(when_full).max_participants(8).create(NAME).unwrap();
        let path = dir.path().join("scribbled.shmkit");
        let bytes = std::fs::read(&path).unwrap();
        let payload = u64::from_le_bytes(bytes[128..136].try_into().unwrap());
        let words = (bytes.len() as u64 - payload) / 8;
        let mut file = File::options().write(true).open(&path).unwrap();
        let mut child = Child::start_ready(&dir, "topic victim", task);
        for _ in 0..6 {
            child.send("go on");
            let end = Instant::now() + Duration::from_millis(100);
            while Instant::now() < end {
                let word = match random.below(4) {
                    0 => random.next(),
                    1 => random.below(100) << 4,
                    2 => random.below(100) << random.below(60),
                    _ => 0,
                };
                // Mostly the first lines, where the words of the protocol are.
                let place = if random.one_in(4) { random.below(words) } else { random.below(48) };
                // The lengths of lists are in the entries.
                let is_far = task == "lists" && random.one_in(2);
                let place = if is_far { words - 1 - random.below(words.min(100)) } else { place };
                file.seek(SeekFrom::Start(payload + place * 8)).unwrap();
                file.write_all(&word.to_le_bytes()).unwrap();
            }
            assert_eq!(child.receive(), "alive");
        }
    }
}
