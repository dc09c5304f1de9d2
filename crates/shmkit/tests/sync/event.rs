//! An event: which waiters continue, and how it is reset.

use std::time::{Duration, Instant};

use shmkit::sync::{Event, Reset};
use shmkit::{ErrorKind, Object, Result, SharedMemory};

use crate::test_dir::{SHORT, TIMEOUT, TestDir, assert_error, kind, two_handles};

const NAME: &str = "ready";

type Wait = fn(&Event) -> Result<()>;

/// Every method that waits, and `try_wait`.
const WAITS: [Wait; 4] = [
    |event| event.wait(),
    |event| event.wait_timeout(TIMEOUT),
    |event| event.wait_until(Instant::now() + TIMEOUT),
    |event| event.try_wait().map(|was_set| assert!(was_set)),
];

#[track_caller]
fn assert_not_set(event: &Event) {
    assert!(!event.is_set() && !event.try_wait().unwrap());
    for time in [SHORT, Duration::ZERO] {
        assert_error(event.wait_timeout(time), ErrorKind::TimedOut, r#"cannot wait for "ready": "#);
        assert_eq!(kind(event.wait_until(Instant::now() + time)), ErrorKind::TimedOut);
    }
}

#[test]
fn a_manual_event_stays_set_until_it_is_reset() {
    let (_dir, [event, other]) = two_handles::<Event>(NAME, Reset::Manual);
    for _ in 0..2 {
        assert_not_set(&other);
        event.set().unwrap();
        event.set().unwrap();
        for wait in WAITS {
            wait(&event).unwrap();
            wait(&other).unwrap();
        }
        assert!(event.is_set() && other.is_set());
        other.reset().unwrap();
        other.reset().unwrap();
    }
}

#[test]
fn an_automatic_event_is_reset_by_one_wait() {
    let (_dir, [event, other]) = two_handles::<Event>(NAME, Reset::Automatic);
    for wait in WAITS {
        assert_not_set(&other);
        event.set().unwrap();
        event.set().unwrap();
        assert!(event.is_set() && other.is_set(), "is_set does not reset it");
        wait(&other).unwrap();
        assert_not_set(&event);
    }
    event.set().unwrap();
    other.reset().unwrap();
    assert_not_set(&event);
}

#[test]
fn all_waiters_of_a_manual_event_continue_even_if_it_is_reset_at_once() {
    let (dir, [event, other]) = two_handles::<Event>(NAME, Reset::Manual);
    for wait in &WAITS[..3] {
        std::thread::scope(|scope| {
            let waiting: Vec<_> = [&event, &event, &other]
                .into_iter()
                .map(|event| scope.spawn(move || wait(event).unwrap()))
                .collect();
            // Repeated, because a waiter counts as waiting shortly before it waits.
            dir.wait_for_waiters(NAME, 3);
            while waiting.iter().any(|it| !it.is_finished()) {
                event.set().unwrap();
                event.reset().unwrap();
            }
        });
        assert_not_set(&event);
    }
}

#[test]
fn each_set_of_an_automatic_event_releases_one_waiter() {
    let (dir, [event, other]) = two_handles::<Event>(NAME, Reset::Automatic);
    for wait in &WAITS[..3] {
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| wait(&other).unwrap());
            }
            for left in [2, 1, 0] {
                dir.wait_for_waiters(NAME, left + 1);
                event.set().unwrap();
                dir.wait_for_waiters(NAME, left);
                assert!(!event.is_set(), "the released waiter has reset it");
            }
        });
    }
}

#[test]
fn two_threads_alternate() {
    const ROUNDS: u32 = 5_000;
    let (_dir, handles) = two_handles::<[Event; 2]>(NAME, [Reset::Automatic; 2]);
    handles[0][0].set().unwrap();
    std::thread::scope(|scope| {
        for (side, events) in handles.iter().enumerate() {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    WAITS[round as usize % 3](&events[side]).unwrap();
                    events[1 - side].set().unwrap();
                }
            });
        }
    });
    assert!(handles[0][0].is_set() && !handles[0][1].is_set());
}

#[test]
fn removal_is_reported_to_waiters_and_later_callers() {
    for reset in [Reset::Manual, Reset::Automatic] {
        let (dir, [event, other]) = two_handles::<Event>(NAME, reset);
        let waits = WAITS[..3].iter().map(|wait| || kind(wait(&other)));
        dir.remove_while_waiting::<Event, _>(NAME, waits);
        for wait in WAITS {
            assert_eq!(kind(wait(&event)), ErrorKind::Closed);
        }
        assert_eq!(kind(event.set()), ErrorKind::Closed);
    }
}

#[test]
fn an_event_keeps_its_kind_of_reset() {
    let dir = TestDir::new();
    let _event = dir.options::<Event>().create(NAME, Reset::Manual).unwrap();
    let answer = dir.options::<Event>().open_or_create(NAME, Reset::Automatic);
    let words = "the event's reset is automatic here and manual in the object";
    assert_error(answer, ErrorKind::WrongOptions, words);
    assert_eq!([Reset::Manual, Reset::Automatic].map(Reset::as_str), ["manual", "automatic"]);
}

#[test]
fn an_event_that_is_created_set_is_set_for_the_first_who_looks() {
    for (reset, stays) in [(Reset::Manual, true), (Reset::Automatic, false)] {
        let dir = TestDir::new();
        let options = dir.options::<Event>().initially_set(true);
        let event = options.create(NAME, reset).unwrap();
        let other = dir.options::<Event>().open(NAME).unwrap();
        assert!(event.is_set() && other.is_set());
        other.wait().unwrap();
        assert_eq!(event.is_set(), stays);
        event.reset().unwrap();
        assert_not_set(&other);
        options.open_or_create(NAME, reset).expect("it began set, whatever it is now");
        assert_not_set(&other);
        let unset = dir.options::<Event>().initially_set(false);
        let told = "initially set is off here and on in the object";
        assert_error(unset.open_or_create(NAME, reset), ErrorKind::WrongOptions, told);
        dir.options::<Event>().open_or_create(NAME, reset).expect("an option that is not chosen");
    }
}

#[test]
fn an_event_in_memory_can_be_created_set() {
    let options = Object::<Event>::options().initially_set(true);
    let size = options.size_in_memory(&Reset::Manual).unwrap();
    let memory = SharedMemory::anonymous(size).unwrap();
    let event = options.create_in(&memory, 0, Reset::Manual).unwrap();
    assert!(Object::<Event>::open_in(&memory, 0).unwrap().try_wait().unwrap());
    drop(event);
}
