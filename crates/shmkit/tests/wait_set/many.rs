//! Sets of many handles.

use shmkit::sync::{Event, Reset};
use shmkit::{Object, WaitSet};

use super::{TestDir, assert_woken};

/// A set of so many events, which are in one object.
fn set_of_events(dir: &TestDir, count: usize) -> (Object<Box<[Event]>>, WaitSet<u32>) {
    let resets = vec![Reset::Manual; count];
    let events =
        dir.with(Object::<Box<[Event]>>::options()).open_or_create("events", resets).unwrap();
    let set = WaitSet::new();
    for (key, event) in events.iter().enumerate() {
        set.add(key as u32, event).unwrap();
    }
    (events, set)
}

#[test]
fn each_of_a_thousand_handles_wakes_its_set() {
    let dir = TestDir::new();
    let (events, set) = set_of_events(&dir, 1_000);
    for key in (0..1_000).step_by(37).chain([62, 63, 64, 126, 127, 128, 999]) {
        assert_woken(&set, &[key], || events[key as usize].set().unwrap());
        events[key as usize].reset().unwrap();
        assert!(set.try_wait().unwrap().is_empty());
    }
}

#[test]
fn a_large_set_that_becomes_small_still_wakes() {
    let dir = TestDir::new();
    let (events, set) = set_of_events(&dir, 300);
    assert_woken(&set, &[299], || events[299].set().unwrap());
    for key in 0..299 {
        assert!(set.remove(&key));
    }
    events[299].reset().unwrap();
    assert!(set.try_wait().unwrap().is_empty());
    assert_woken(&set, &[299], || events[299].set().unwrap());
    assert!(set.remove(&299));
    assert_woken(&set, &[5], || set.add(5, &events[299]).unwrap());
}
