//! A semaphore between processes.

use std::fs::File;
use std::thread;

use shmkit::sync::named;

use crate::children::{Child, Link};
use crate::place::Place;
use crate::sync::ledger::PATIENCE;
use crate::system::read_at;

const NAME: &str = "permits";
/// So many may be found at the end of a slice by chance: one that came in just that moment.
const BY_CHANCE: u64 = 5;

/// Takes a permit, and gives it back, as often as its task says; then tells what it found without a
/// wake.
pub(crate) fn taker_of_permits(link: &mut Link) {
    let semaphore = named::Semaphore::open(NAME).unwrap();
    link.say("ready");
    for _ in 0..link.task().parse().unwrap() {
        drop(semaphore.acquire_timeout(PATIENCE).unwrap());
    }
    link.say(shmkit::crash::late_finds());
    link.hear();
}

#[test]
fn a_turn_that_a_dead_one_asked_for_holds_others_up_once() {
    let place = Place::new();
    let options = named::Semaphore::options().directory(place.path());
    let semaphore = options.create(NAME, 1).unwrap();
    let permit = semaphore.acquire().unwrap();
    let mut starving = Child::start(&place, "taker of permits", 1);
    assert_eq!(starving.hear(), "ready");
    // FORMAT.md: the payload's place, and the bit by which it asks.
    let file = File::open(place.path().join("permits.shmkit")).unwrap();
    let word = |at| {
        let mut word = [0; 8];
        read_at(&file, &mut word, at);
        u64::from_le_bytes(word)
    };
    let payload = word(128);
    while word(payload) & 1 << 2 == 0 {
        thread::yield_now();
    }
    starving.kill();
    drop(permit);
    let mut next = Child::start(&place, "taker of permits", 1_000);
    assert_eq!(next.hear(), "ready");
    let late: u64 = next.hear().parse().unwrap();
    assert!(late <= BY_CHANCE, "{late} of 1,000 permits were taken after a slice");
}
