//! A semaphore between processes.

use shmkit::sync::Semaphore;

use super::words::Words;
use crate::children::{Child, Link};
use crate::test_dir::{TestDir, open};
use crate::times::TIMEOUT;

const NAME: &str = "permits";
/// The bit by which a waiter asks for a handoff.
const HANDOFF_WANTED: u64 = 13;
/// How many permits may be found by a slow check by chance: one that came just then.
const BY_CHANCE: u64 = 5;

/// Acquires and releases a permit as often as its task says, then reports how many it found by a
/// slow check, without a wake.
pub(crate) fn acquirer(link: &mut Link) {
    let semaphore = open::<Semaphore>(NAME);
    link.send("ready");
    for _ in 0..link.task().parse().unwrap() {
        drop(semaphore.acquire_timeout(TIMEOUT).unwrap());
    }
    link.send(shmkit::crash::late_finds());
    link.receive();
}

#[test]
fn a_handoff_wanted_by_a_dead_waiter_delays_others_at_most_once() {
    let dir = TestDir::new();
    let semaphore = dir.primitive::<Semaphore>().create(NAME, 1).unwrap();
    let permit = semaphore.acquire().unwrap();
    let mut dying = Child::start_ready(&dir, "acquirer", 1);
    Words::open(dir.path(), NAME).wait_for_bit(0, HANDOFF_WANTED);
    dying.kill();
    drop(permit);
    let mut next = Child::start_ready(&dir, "acquirer", 1_000);
    let late: u64 = next.receive().parse().unwrap();
    assert!(late <= BY_CHANCE, "{late} of 1,000 permits were found by a slow check");
}
