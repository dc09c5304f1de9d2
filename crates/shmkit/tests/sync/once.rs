//! What is done once, by one of those who come.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use shmkit::ErrorKind;
use shmkit::sync::{Mutex, Once};

use crate::place::{MOMENT, Place, SOON, kind, refused, this_process};

const NAME: &str = "start";

#[test]
fn of_all_who_come_one_does_it_and_the_others_go_on_when_it_is_done() {
    let place = Place::new();
    let handles = place.two::<Once>(NAME, ());
    let done = AtomicU32::new(0);
    // ORDERING: Relaxed; what is done once is ordered by that.
    let act = || _ = done.fetch_add(1, Ordering::Relaxed);
    std::thread::scope(|scope| {
        for once in [&handles[0], &handles[0], &handles[1], &handles[1]] {
            scope.spawn(|| {
                once.call_once(act).unwrap();
                assert!(once.is_completed());
                // ORDERING: Relaxed; as above.
                assert_eq!(done.load(Ordering::Relaxed), 1);
            });
        }
    });
    let never = || unreachable!("it is done");
    handles[0].call_once(never).unwrap();
    handles[1].call_once_force(|_| never()).unwrap();
    handles[1].call_once_timeout(never, Duration::ZERO).unwrap();
    drop(handles);
    assert!(place.of::<Once>().open(NAME).unwrap().is_completed());
}

#[test]
fn who_does_it_is_named_when_the_time_is_over() {
    let place = Place::new();
    let [once, other] = place.two::<Once>(NAME, ());
    once.call_once(|| {
        for time in [MOMENT, Duration::ZERO] {
            let answer = other.call_once_timeout(|| unreachable!("another does it"), time);
            refused(answer, ErrorKind::TimedOut, &this_process());
        }
        assert!(!other.is_completed());
    })
    .unwrap();
    other.call_once_timeout(|| unreachable!("it is done"), MOMENT).unwrap();
}

#[test]
fn one_that_panicked_has_not_done_it_and_the_next_is_told() {
    let place = Place::new();
    let [once, other] = place.two::<Once>(NAME, ());
    let mut told = Vec::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        once.call_once_force(|again| {
            told.push(again);
            std::panic::resume_unwind(Box::new(()));
        })
    }));
    assert!(panicked.is_err() && !other.is_completed());
    other.call_once_force(|again| told.push(again)).unwrap();
    assert_eq!(told, [false, true]);
    assert!(once.is_completed());
}

#[test]
fn it_orders_what_was_done_before_what_follows() {
    let place = Place::new();
    let handles = place.two::<(Once, Mutex<u64>)>(NAME, ((), 0));
    std::thread::scope(|scope| {
        for (once, value) in handles.iter().map(|it| &**it) {
            scope.spawn(move || {
                once.call_once(|| *value.lock().unwrap() = 7).unwrap();
                assert_eq!(*value.lock().unwrap(), 7);
            });
        }
    });
}

#[test]
fn removal_is_told_to_who_waits_and_all_who_come_before_it_is_done() {
    let place = Place::new();
    let [once, other] = place.two::<Once>(NAME, ());
    once.call_once(|| {
        std::thread::scope(|scope| {
            let waiting = [
                scope.spawn(|| kind(other.call_once(|| unreachable!()))),
                scope.spawn(|| kind(other.call_once_timeout(|| unreachable!(), SOON))),
            ];
            place.until_threads_wait(NAME, 2);
            place.of::<Once>().remove(NAME).unwrap();
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
            }
        });
    })
    .unwrap();
    other.call_once(|| unreachable!("it was done all the same")).unwrap();
    let next = place.of::<Once>().create(NAME, ()).unwrap();
    place.of::<Once>().remove(NAME).unwrap();
    assert_eq!(kind(next.call_once(|| unreachable!("it is gone"))), ErrorKind::Closed);
}
