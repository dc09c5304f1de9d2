//! A mutex between processes.

use shmkit::sync::{LockError, named};

use crate::children::{Child, Link};
use crate::place::Place;

const NAME: &str = "lock";

/// Takes the lock, says so, and keeps it until it is told to give it back.
pub(crate) fn holder(link: &mut Link) {
    let mutex = named::Mutex::<u64>::open(NAME).unwrap();
    let mut value = mutex.lock().unwrap();
    *value += 1;
    link.say("held");
    link.hear();
    drop(value);
    link.say("given back");
    link.hear();
}

#[test]
fn owner_death_is_reported_to_the_next_locker_and_to_all_until_mended() {
    let place = Place::new();
    let options = named::Mutex::<u64>::options().directory(place.path());
    let mutex = options.create(NAME, 7).unwrap();
    let mut child = Child::start(&place, "holder of a mutex", "");
    assert_eq!(child.hear(), "held");
    assert!(mutex.try_lock().unwrap().is_none());
    child.kill();
    for _ in 0..2 {
        match mutex.lock() {
            Err(LockError::OwnerDied(value)) => assert_eq!(*value, 8),
            other => panic!("{other:?}"),
        }
    }
    let mut value = mutex.lock().unwrap_err().into_guard().unwrap();
    value.mark_consistent();
    drop(value);
    assert_eq!(*mutex.lock().unwrap(), 8);
}
