//! A semaphore between processes.

use shmkit::sync::named;

use super::ledger::PATIENCE;
use super::words::Words;
use crate::children::{Child, Link};
use crate::place::Place;

const NAME: &str = "permits";
/// The bit by which one who waits asks for the next turn.
const STARVING: u64 = 2;
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
    Words::open(place.path(), NAME).wait_for_bit(0, STARVING);
    starving.kill();
    drop(permit);
    let mut next = Child::start(&place, "taker of permits", 1_000);
    assert_eq!(next.hear(), "ready");
    let late: u64 = next.hear().parse().unwrap();
    assert!(late <= BY_CHANCE, "{late} of 1,000 permits were taken after a slice");
}
