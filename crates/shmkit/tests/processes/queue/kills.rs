//! Senders and receivers are killed at random under load. Their logs show that no message is lost,
//! and none comes again after it was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use shmkit::{ErrorKind, Queue};

use super::{NAME, options, receive_all};
use crate::children::{Child, Link};
use crate::system::KILLS;
use crate::test_dir::TestDir;
use crate::times::TIMEOUT;
use crate::values::{Random, TEN_THOUSAND, whole_lines};

const SENDERS: usize = 2;
const CHILDREN: usize = 4;
/// Messages of one sender are below this, from its number times this on.
const OF_ONE: u64 = 1 << 32;

/// A file to which a child writes what it did: also what it wrote just before it was killed is
/// there.
struct Log(File);

impl Log {
    fn create(path: &str) -> Self {
        Self(OpenOptions::new().create_new(true).append(true).open(path).unwrap())
    }

    fn write(&mut self, what: &str, number: u64) {
        // One write for each line: it is there as a whole, or without its end.
        self.0.write_all(format!("{what} {number}\n").as_bytes()).unwrap();
    }
}

/// Sends or receives without a pause, and reports its first success.
pub(crate) fn role(link: &mut Link) {
    let task = link.task();
    let (number, path) = task.split_once(' ').unwrap();
    let number: u64 = number.parse().unwrap();
    let mut log = Log::create(path);
    let queue = Queue::<u64>::open(NAME).unwrap();
    if number.is_multiple_of(2) {
        let sender = queue.sender().unwrap();
        for message in number * OF_ONE.. {
            log.write("sends", message);
            sender.send(&message).unwrap();
            log.write("sent", message);
            if message == number * OF_ONE {
                link.send("working");
            }
        }
    }
    let receiver = queue.receiver().unwrap();
    let mut reported = false;
    loop {
        let message = match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(message) => message,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
                continue;
            }
        };
        let number = *message;
        log.write("got", number);
        message.acknowledge().unwrap();
        log.write("done", number);
        if !reported {
            reported = true;
            link.send("working");
        }
    }
}

#[test]
fn random_kills_under_load_lose_no_message_and_repeat_none_that_was_acknowledged() {
    kill_at_random(KILLS / 2);
}

#[test]
#[ignore = "it takes minutes: see `TEN_THOUSAND`"]
fn ten_thousand_random_kills_under_load_lose_no_message_and_repeat_none() {
    kill_at_random(TEN_THOUSAND);
}

fn kill_at_random(kills: usize) {
    let mut random = Random::new();
    let cases = [(1, false), (16, false), (16, true)];
    for (depth, priorities) in cases {
        println!("depth {depth}, priorities: {priorities}");
        let (dir, logs) = (TestDir::new(), TestDir::new());
        let queue = options(&dir).depth(depth).priorities(priorities).create(NAME).unwrap();
        let mut started = 0_u64;
        let mut start = |index: usize| {
            started += 1;
            let number = 2 * started + u64::from(index >= SENDERS);
            let path = logs.path().join(number.to_string());
            Child::start(&dir, "queue load", format!("{number} {}", path.display()))
        };
        let mut children: Vec<_> = (0..CHILDREN).map(&mut start).collect();
        for _ in 0..kills.div_ceil(cases.len()) {
            let index = random.below(CHILDREN as u64) as usize;
            // One in four is killed while it starts.
            if !random.one_in(4) {
                assert_eq!(children[index].receive(), "working");
            }
            // The sleep synchronizes nothing: it makes the moment of the kill random.
            std::thread::sleep(Duration::from_micros(random.below(1_500)));
            children[index].kill();
            children[index] = start(index);
        }
        for child in &mut children {
            assert_eq!(child.receive(), "working", "the survivors continue");
        }
        children.iter_mut().for_each(Child::kill);
        let rest = receive_all(&queue, &queue.receiver().unwrap());
        check_logs(logs.path(), &rest);
        // Each place can be used.
        let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
        (0..depth.into()).for_each(|number| sender.send_timeout(&number, TIMEOUT).unwrap());
        assert_eq!(receive_all(&queue, &receiver).len(), depth as usize);
        drop((sender, receiver, queue));
        dir.repair();
        assert!(dir.describe(NAME).participants.is_empty());
    }
}

/// Checks what became of each message: `rest` was received at the end.
fn check_logs(logs: &Path, rest: &[u64]) {
    let (mut begun, mut sent, mut done) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    // Messages that a child had when it was killed: at most one each.
    let mut open = BTreeSet::new();
    for log in std::fs::read_dir(logs).unwrap() {
        let text = std::fs::read_to_string(log.unwrap().path()).unwrap();
        let mut last = None;
        for line in whole_lines(&text) {
            let (what, number) = line.split_once(' ').unwrap();
            let number: u64 = number.parse().unwrap();
            match what {
                "sends" => _ = begun.insert(number),
                "sent" => _ = sent.insert(number),
                "got" => last = Some(number),
                _ => {
                    assert_eq!(last.take(), Some(number));
                    *done.entry(number).or_insert(0) += 1;
                }
            }
        }
        open.extend(last);
    }
    for number in rest {
        *done.entry(*number).or_insert(0) += 1;
    }
    println!("{} sent, {} acknowledged, {} left", sent.len(), done.len(), rest.len());
    let repeated: Vec<_> = done.iter().filter(|(_, times)| **times > 1).collect();
    assert!(repeated.is_empty(), "acknowledged more than once: {repeated:?}");
    assert!(done.keys().all(|number| begun.contains(number)), "never sent");
    // A child can be killed after it acknowledged, and before it wrote that.
    let lost: Vec<_> =
        sent.iter().filter(|it| !done.contains_key(it) && !open.contains(it)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
}
