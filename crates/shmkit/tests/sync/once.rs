//! A `Once`: one caller makes the call, and the others wait for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use shmkit::sync::{Mutex, Once};
use shmkit::{ErrorKind, Result};

use crate::test_dir::{SHORT, TIMEOUT, assert_error, kind, this_process, two_handles};

const NAME: &str = "start";

#[test]
fn one_caller_makes_the_call_and_the_others_wait_for_its_end() {
    let (dir, handles) = two_handles::<Once>(NAME, ());
    let calls = AtomicU32::new(0);
    let call = || {
        // ORDERING: Relaxed; the `Once` orders it.
        if calls.fetch_add(1, Ordering::Relaxed) == 0 {
            dir.wait_for_waiters(NAME, 3);
        }
    };
    std::thread::scope(|scope| {
        for once in [&handles[0], &handles[0], &handles[1], &handles[1]] {
            scope.spawn(|| {
                once.call_once(call).unwrap();
                assert!(once.is_completed());
                // ORDERING: Relaxed; as above.
                assert_eq!(calls.load(Ordering::Relaxed), 1);
            });
        }
    });
    let never = || unreachable!("the call was made");
    handles[0].call_once(never).unwrap();
    handles[1].call_once_force(|_| never()).unwrap();
    handles[1].call_once_timeout(never, Duration::ZERO).unwrap();
    drop(handles);
    assert!(dir.options::<Once>().open(NAME).unwrap().is_completed());
}

#[test]
fn a_timeout_error_names_the_process_that_makes_the_call() {
    let (_dir, [once, other]) = two_handles::<Once>(NAME, ());
    once.call_once(|| {
        for time in [SHORT, Duration::ZERO] {
            let answer =
                other.call_once_timeout(|| unreachable!("the other handle makes the call"), time);
            assert_error(answer, ErrorKind::TimedOut, &this_process());
        }
        assert!(!other.is_completed());
    })
    .unwrap();
    other.call_once_timeout(|| unreachable!("the call was made"), SHORT).unwrap();
}

#[test]
fn a_call_that_panicked_is_repeated_with_notice() {
    let (_dir, [once, other]) = two_handles::<Once>(NAME, ());
    let mut notices = Vec::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        once.call_once_force(|again| {
            notices.push(again);
            std::panic::resume_unwind(Box::new(()));
        })
    }));
    assert!(panicked.is_err() && !other.is_completed());
    other.call_once_force(|again| notices.push(again)).unwrap();
    assert_eq!(notices, [false, true]);
    assert!(once.is_completed());
}

#[test]
fn the_call_happens_before_all_returns() {
    let (_dir, handles) = two_handles::<(Once, Mutex<u64>)>(NAME, ((), 0));
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
fn removal_is_reported_to_waiters_and_later_callers_until_the_call_completes() {
    let (dir, [once, other]) = two_handles::<Once>(NAME, ());
    once.call_once(|| {
        let calls: [fn(&Once) -> Result<()>; 2] = [
            |once| once.call_once(|| unreachable!()),
            |once| once.call_once_timeout(|| unreachable!(), TIMEOUT),
        ];
        let waits = calls.iter().map(|call| || kind(call(&other)));
        dir.remove_while_waiting::<Once, _>(NAME, waits);
    })
    .unwrap();
    other.call_once(|| unreachable!("the call has completed")).unwrap();
    let next = dir.options::<Once>().create(NAME, ()).unwrap();
    dir.options::<Once>().remove(NAME).unwrap();
    assert_eq!(kind(next.call_once(|| unreachable!("the object was removed"))), ErrorKind::Closed);
}

#[test]
fn an_action_that_fails_returns_its_error_and_the_next_caller_tries_again() {
    let (dir, [once, other]) = two_handles::<Once>(NAME, ());
    for (once, reason) in [(&once, "no water"), (&other, "no power")] {
        let failed: Result<(), Failure> = once.try_call_once(|| Err(Failure(reason.into())));
        assert_eq!(failed.unwrap_err().0, reason);
        assert!(!once.is_completed());
    }
    other.try_call_once_force(failed_before(false)).unwrap_err();
    std::thread::scope(|scope| {
        let waiting = once.try_call_once(|| {
            let waiting = scope.spawn(|| other.call_once_force(|again| assert!(!again)));
            dir.wait_for_waiters(NAME, 1);
            Err(Failure(waiting.is_finished().to_string()))
        });
        assert_eq!(waiting.unwrap_err().0, "false");
    });
    assert!(once.is_completed(), "the waiter ran its action");
    once.try_call_once(|| -> Result<(), Failure> { unreachable!("it is done") }).unwrap();
}

#[test]
fn a_failure_does_not_hide_an_earlier_panic() {
    let (_dir, [once, other]) = two_handles::<Once>(NAME, ());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        once.try_call_once(|| -> Result<()> { std::panic::resume_unwind(Box::new(())) })
    }));
    assert!(panicked.is_err());
    other.try_call_once_force(failed_before(true)).unwrap_err();
    once.try_call_once_force(failed_before(true)).unwrap_err();
    other.call_once_force(|again| assert!(again)).unwrap();
}

#[test]
fn an_error_of_the_library_is_converted_into_that_of_the_action() {
    let (dir, [once, _other]) = two_handles::<Once>(NAME, ());
    dir.options::<Once>().remove(NAME).unwrap();
    let answer = once.try_call_once(|| Err(Failure("the object was removed".into())));
    assert!(answer.unwrap_err().0.starts_with("cannot use \"start\""));
}

/// The error of an action.
#[derive(Debug)]
struct Failure(String);

impl From<shmkit::Error> for Failure {
    fn from(error: shmkit::Error) -> Self {
        Self(error.to_string())
    }
}

/// An action that fails, and checks what it is told of earlier ones.
fn failed_before(expected: bool) -> impl FnOnce(bool) -> Result<(), Failure> {
    move |again| {
        assert_eq!(again, expected);
        Err(Failure("failed".into()))
    }
}
