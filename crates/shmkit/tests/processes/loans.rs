//! Loans of a `Latest` whose process is killed while it fills them.

use shmkit::{ErrorKind, Latest, LatestWriter};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, kind};
use crate::times::TIMEOUT;
use crate::values::{seed_of, value};

const NAME: &str = "frame";
const WORDS: usize = 4_096;
type Value = [u64; WORDS];

fn publish(writer: &mut LatestWriter<Value>, seed: u64) -> u64 {
    let mut loan = writer.loan().unwrap();
    *loan = value(seed);
    loan.publish().unwrap()
}

/// Publishes values in place for each seed that it is sent, and fills half of a loan for each other
/// message.
pub(crate) fn borrower(link: &mut Link) {
    let latest = Latest::<Value>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    link.send("ready");
    loop {
        match link.receive().parse() {
            Ok(seed) => link.send(publish(&mut writer, seed)),
            Err(_) => {
                let mut loan = writer.loan().unwrap();
                loan[..WORDS / 2].fill(0xdead);
                link.send("half filled");
                link.receive();
                link.send(
                    loan.publish().map_or_else(|error| error.to_string(), |it| it.to_string()),
                );
            }
        }
    }
}

#[test]
fn a_process_killed_in_a_loan_leaves_the_value_before_and_the_right_to_write() {
    for shared in [false, true] {
        let dir = TestDir::new();
        let latest = dir.latest::<Value>().shared_writers(shared).create(NAME).unwrap();
        for round in 0..10 {
            let mut changes = latest.changes();
            let mut child = Child::start_ready(&dir, "borrower", "");
            assert_eq!(child.ask(7), (3 * round + 1).to_string());
            assert_eq!(seed_of(&changes.next_timeout(TIMEOUT).unwrap()), 7);
            assert_eq!(child.ask("fill"), "half filled");
            assert_eq!(seed_of(&latest.get().unwrap()), 7);
            child.kill();
            assert_eq!(seed_of(&latest.get().unwrap()), 7);
            assert_eq!(kind(changes.next_timeout(TIMEOUT)), ErrorKind::PeerDied);
            let mut writer = latest.writer_timeout(TIMEOUT).unwrap();
            assert_eq!(publish(&mut writer, 8), 3 * round + 2, "the number that was begun");
            assert_eq!(writer.set(&value(9)).unwrap(), 3 * round + 3);
            let next = [(); 2].map(|()| seed_of(&changes.next_timeout(TIMEOUT).unwrap()));
            assert_eq!((next, changes.missed()), ([8, 9], 0));
        }
    }
}

#[test]
fn a_stopped_loan_is_published_whole_when_its_process_goes_on() {
    let dir = TestDir::new();
    let latest = dir.latest::<Value>().create_with(NAME, value(1)).unwrap();
    let mut child = Child::start_ready(&dir, "borrower", "");
    assert_eq!(child.ask("fill"), "half filled");
    child.stop();
    assert_eq!(kind(latest.writer()), ErrorKind::RoleTaken, "a stopped process is not dead");
    assert_eq!(seed_of(&latest.get().unwrap()), 1);
    child.resume();
    assert_eq!(child.ask("publish"), "2");
    assert_eq!(latest.get().unwrap()[..WORDS / 2], [0xdead; WORDS / 2]);
}

#[test]
fn several_processes_publish_loans_in_turns() {
    let dir = TestDir::new();
    let latest = dir.latest::<Value>().shared_writers(true).create_with(NAME, value(0)).unwrap();
    let mut children = [(); 3].map(|()| Child::start_ready(&dir, "borrower", ""));
    for round in 0..100 {
        children.iter_mut().for_each(|child| child.send(round));
        let mut numbers = [(); 3].map(|()| 0);
        for (number, child) in numbers.iter_mut().zip(&mut children) {
            *number = child.receive().parse().unwrap();
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [3 * round + 2, 3 * round + 3, 3 * round + 4]);
        assert_eq!(seed_of(&latest.get().unwrap()), round);
    }
}
