//! An event: which of those who wait go on, and what becomes of it.

use std::time::{Duration, Instant};

use shmkit::sync::{Event, Reset};
use shmkit::{ErrorKind, Result};

use crate::place::{MOMENT, Place, SOON, kind, refused};

const NAME: &str = "ready";

type Wait = fn(&Event) -> Result<()>;

/// Every way to wait.
const WAITS: [Wait; 4] = [
    |event| event.wait(),
    |event| event.wait_timeout(SOON),
    |event| event.wait_until(Instant::now() + SOON),
    |event| event.try_wait().map(|was_set| assert!(was_set)),
];

#[track_caller]
fn is_not_set(event: &Event) {
    assert!(!event.is_set() && !event.try_wait().unwrap());
    for time in [MOMENT, Duration::ZERO] {
        refused(event.wait_timeout(time), ErrorKind::TimedOut, r#"cannot wait for "ready": "#);
        assert_eq!(kind(event.wait_until(Instant::now() + time)), ErrorKind::TimedOut);
    }
}

#[test]
fn a_manual_one_stays_set_for_all_until_it_is_reset() {
    let place = Place::new();
    let [event, other] = place.two::<Event>(NAME, Reset::Manual);
    for _ in 0..2 {
        is_not_set(&other);
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
fn an_automatic_one_is_taken_by_one_who_waits() {
    let place = Place::new();
    let [event, other] = place.two::<Event>(NAME, Reset::Automatic);
    for wait in WAITS {
        is_not_set(&other);
        event.set().unwrap();
        event.set().unwrap();
        assert!(event.is_set() && other.is_set(), "a look does not take it");
        wait(&other).unwrap();
        is_not_set(&event);
    }
    event.set().unwrap();
    other.reset().unwrap();
    is_not_set(&event);
}

#[test]
fn all_who_wait_for_a_manual_one_go_on_even_if_it_is_reset_at_once() {
    let place = Place::new();
    let [event, other] = place.two::<Event>(NAME, Reset::Manual);
    for wait in &WAITS[..3] {
        std::thread::scope(|scope| {
            let waiting: Vec<_> = [&event, &event, &other]
                .into_iter()
                .map(|event| scope.spawn(move || wait(event).unwrap()))
                .collect();
            // Says that it waits before it looks what was so far.
            place.until_threads_wait(NAME, 3);
            while waiting.iter().any(|it| !it.is_finished()) {
                event.set().unwrap();
                event.reset().unwrap();
            }
        });
        is_not_set(&event);
    }
}

#[test]
fn each_set_of_an_automatic_one_lets_one_go_on() {
    let place = Place::new();
    let [event, other] = place.two::<Event>(NAME, Reset::Automatic);
    for wait in &WAITS[..3] {
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| wait(&other).unwrap());
            }
            for left in [2, 1, 0] {
                place.until_threads_wait(NAME, left + 1);
                event.set().unwrap();
                place.until_threads_wait(NAME, left);
                assert!(!event.is_set(), "the one who went on took it");
            }
        });
    }
}

#[test]
fn two_hand_a_turn_to_each_other() {
    const ROUNDS: u32 = 5_000;
    let place = Place::new();
    let handles = place.two::<[Event; 2]>(NAME, [Reset::Automatic; 2]);
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
fn removal_is_told_to_who_waits_and_all_who_come() {
    for reset in [Reset::Manual, Reset::Automatic] {
        let place = Place::new();
        let [event, other] = place.two::<Event>(NAME, reset);
        std::thread::scope(|scope| {
            let waiting = WAITS[..3].iter();
            let waiting: Vec<_> = waiting.map(|wait| scope.spawn(|| kind(wait(&other)))).collect();
            place.until_threads_wait(NAME, 3);
            place.of::<Event>().remove(NAME).unwrap();
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
            }
        });
        for wait in WAITS {
            assert_eq!(kind(wait(&event)), ErrorKind::Closed);
        }
        assert_eq!(kind(event.set()), ErrorKind::Closed);
    }
}

#[test]
fn it_is_of_one_kind_for_good() {
    let place = Place::new();
    let _event = place.of::<Event>().create(NAME, Reset::Manual).unwrap();
    let answer = place.of::<Event>().open_or_create(NAME, Reset::Automatic);
    let words = "the event's reset is automatic here and manual in the object";
    refused(answer, ErrorKind::WrongOptions, words);
    assert_eq!([Reset::Manual, Reset::Automatic].map(Reset::as_str), ["manual", "automatic"]);
}
