use std::time::{Duration, Instant};

use super::*;
use crate::memory::atomic::{AtomicU64, Ordering};

fn wait<T>(
    wait_loop: &WaitLoop,
    word: &AtomicU64,
    until: Until,
    look: impl Fn(u64) -> Option<T>,
    mut check: impl FnMut() -> Option<T>,
) -> Waited<T> {
    let word = WaitWord::new(word);
    let poll = |_: &Standing| {
        let seen = word.load(Ordering::Acquire);
        look(seen).map_or_else(|| Poll::Pending(SleepTicket::new(word, seen)), Poll::Ready)
    };
    wait_loop.wait(None, until, poll, |_| check().map(Checked::Found))
}

fn sleeping_at_once() -> WaitLoop {
    WaitLoop::spinning_for(Duration::ZERO)
}

#[test]
fn a_timeout_comes_in_time_and_after_a_slow_check() {
    let (wait_loop, word) = (WaitLoop::for_answer(0), AtomicU64::new(0));
    let (begun, mut checks) = (Instant::now(), 0);
    let until = Until::after(Duration::from_millis(2));
    let waited: Waited<()> = wait(
        &wait_loop,
        &word,
        until,
        |_| None,
        || {
            checks += 1;
            None
        },
    );
    assert!(waited.found.is_none() && begun.elapsed() >= Duration::from_millis(2));
    assert_eq!(checks, 1);
}

#[test]
fn a_check_is_made_at_the_latest_50_ms_after_the_last_one() {
    let word = AtomicU64::new(0);
    let elapsed = || {
        let wait_loop = WaitLoop::for_answer(0);
        let begun = Instant::now();
        wait::<()>(&wait_loop, &word, Until::Now, |_| None, || None);
        // The waiter begins when no check is due yet.
        std::thread::sleep(Duration::from_millis(22));
        let waited = wait(&wait_loop, &word, Until::Ever, |_| None, || Some(()));
        assert!(waited.found.is_some());
        begun.elapsed()
    };
    // Of several times the least, since a thread may be woken late.
    let least = (0..8).map(|_| elapsed()).min();
    assert!(least < Some(Duration::from_millis(60)), "{least:?}");
}

#[test]
fn an_attempt_checks_once_in_a_slice_and_does_not_sleep() {
    let (wait_loop, word) = (WaitLoop::for_answer(0), AtomicU64::new(0));
    let mut checks = 0;
    for _ in 0..2 {
        let waited: Waited<()> = wait(
            &wait_loop,
            &word,
            Until::Now,
            |_| None,
            || {
                checks += 1;
                None
            },
        );
        assert!(waited.found.is_none() && !waited.slept);
    }
    assert_eq!((checks, word.load(Ordering::Relaxed)), (1, 0));
}

#[test]
fn a_result_of_the_slow_check_is_found_after_a_slice() {
    let (wait_loop, word) = (WaitLoop::for_answer(0), AtomicU64::new(0));
    let mut checks = 0;
    let waited = wait(
        &wait_loop,
        &word,
        Until::Ever,
        |_| None,
        || {
            checks += 1;
            (checks == 3).then_some(checks)
        },
    );
    assert_eq!(waited.found, Some(3));
    assert!(waited.slept && !waited.requested);
}

#[test]
fn a_change_without_a_wake_is_found_after_a_slice() {
    let (wait_loop, word, value) = (WaitLoop::for_answer(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let look = |_| Some(value.load(Ordering::Acquire)).filter(|value| *value != 0);
            wait(&wait_loop, &word, Until::Ever, look, || None)
        });
        while word.load(Ordering::Acquire) & ASLEEP == 0 {
            std::thread::yield_now();
        }
        value.store(7, Ordering::Release);
        assert_eq!(waiting.join().unwrap().found, Some(7));
    });
}

#[test]
fn a_reserved_word_is_left_to_others_for_a_slice() {
    let (wait_loop, word) = (WaitLoop::for_answer(0), AtomicU64::new(0));
    let begun = Instant::now();
    let poll = |standing: &Standing| match standing.patience_is_over {
        true => Poll::Ready(begun.elapsed()),
        false => Poll::Reserved(SleepTicket::new(WaitWord::new(&word), 0).unmarked(true)),
    };
    let waited = wait_loop.wait(None, Until::Ever, poll, |_| None);
    assert!(waited.found.unwrap() >= Duration::from_millis(50));
}

#[test]
fn a_change_wakes_only_where_a_mark_says_that_threads_sleep() {
    let word = AtomicU64::new(0);
    let wait_word = WaitWord::new(&word).with_sharers(1 << 14);
    for mark in [ASLEEP, 1 << 14] {
        let (wait_loop, told) = (sleeping_at_once(), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let poll = |_: &Standing| match wait_word.load(Ordering::Acquire) {
                    seen if seen >> 2 & 1 == 1 => Poll::Ready(()),
                    seen => Poll::Pending(SleepTicket::new(wait_word, seen).marked(seen | mark)),
                };
                wait_loop.wait(None, Until::Ever, poll, |_| None)
            });
            while word.load(Ordering::Acquire) != mark {
                std::thread::yield_now();
            }
            told.store(1, Ordering::Relaxed);
            wait_word.change(mark, 1 << 2, Ordering::AcqRel, Wake::All).unwrap();
            assert_eq!(waiting.join().unwrap().found, Some(()));
        });
        assert_eq!(wait_word.change(mark, 0, Ordering::AcqRel, Wake::All), Err(1 << 2));
        wait_word.change(1 << 2, 0, Ordering::AcqRel, Wake::All).unwrap();
    }
}

#[test]
fn two_that_answer_each_other_miss_nothing() {
    const ROUNDS: u64 = 5_000;
    let words = [AtomicU64::new(0), AtomicU64::new(0)];
    let send = |to: &AtomicU64, round: u64| {
        let word = WaitWord::new(to);
        let mut had = word.load(Ordering::Relaxed);
        while let Err(found) = word.change(had, round << 2, Ordering::AcqRel, Wake::All) {
            had = found;
        }
    };
    let receive = |wait_loop: &WaitLoop, from: &AtomicU64, round: u64| {
        let look = |seen: u64| (seen >> 2 == round).then_some(());
        let waited = wait(wait_loop, from, Until::Ever, look, || None);
        waited.found.expect("there is no deadline");
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let wait_loop = sleeping_at_once();
            for round in 1..=ROUNDS {
                receive(&wait_loop, &words[0], round);
                send(&words[1], round);
            }
        });
        let wait_loop = WaitLoop::for_answer(0);
        for round in 1..=ROUNDS {
            send(&words[0], round);
            receive(&wait_loop, &words[1], round);
        }
    });
}

#[test]
fn a_handoff_is_requested_only_by_a_mark_that_does() {
    let (wait_loop, word) = (WaitLoop::for_answer(0), AtomicU64::new(0));
    let wait_word = WaitWord::new(&word);
    for requests in [false, true] {
        word.store(0, Ordering::Relaxed);
        let poll = |_: &Standing| match SleepTicket::new(wait_word, 0) {
            ticket if requests => Poll::<()>::Pending(ticket.requesting()),
            ticket => Poll::Pending(ticket),
        };
        // A thread that gets no processor may find the deadline over before it sleeps.
        let wait = || wait_loop.wait(None, Until::after(Duration::from_millis(1)), poll, |_| None);
        let waited = core::iter::repeat_with(wait).find(|waited| waited.slept);
        assert_eq!(waited.map(|waited| waited.requested), Some(requests));
    }
}

#[test]
fn a_check_that_found_something_is_made_again_by_the_next_wait() {
    let (wait_loop, word) = (WaitLoop::for_answer(0), AtomicU64::new(0));
    for _ in 0..3 {
        let waited = wait(&wait_loop, &word, Until::Now, |_| None, || Some("one of several"));
        assert!(waited.found.is_some());
    }
}

#[test]
fn what_came_before_the_removal_is_found_before_the_removal_is_told() {
    let word = AtomicU64::new(0);
    let wait_word = WaitWord::new(&word);
    for until in [Until::Now, Until::Ever] {
        for comes in [true, false] {
            word.store(0, Ordering::Relaxed);
            let poll = |_: &Standing| match word.load(Ordering::Relaxed) {
                0 => Poll::Pending(SleepTicket::new(wait_word, 0)),
                _ => Poll::Ready("it came"),
            };
            // Between the poll and the check.
            let check = |_: Extent<'_>| {
                word.store(comes.into(), Ordering::Relaxed);
                Some(Checked::Removed("removed"))
            };
            let waited = sleeping_at_once().wait(None, until, poll, check);
            assert_eq!(waited.found, Some(if comes { "it came" } else { "removed" }));
        }
    }
}

#[test]
fn a_thread_that_spins_for_a_given_time_does_not_sleep_and_obeys_limits_and_checks() {
    let word = AtomicU64::new(0);
    let wait_loop = WaitLoop::spinning_for(Duration::MAX);
    let until = Until::after(Duration::from_millis(2));
    let waited = wait::<()>(&wait_loop, &word, until, |_| None, || None);
    assert!(waited.found.is_none() && !waited.slept);
    let mut checks = 0;
    let check = || {
        checks += 1;
        (checks == 3).then_some(())
    };
    let waited = wait(&wait_loop, &word, Until::Ever, |_| None, check);
    assert!(waited.found.is_some() && !waited.slept);
    assert_eq!(word.load(Ordering::Relaxed) & ASLEEP, 0);
    let look = |seen: u64| (seen >> 2 == 1).then_some(());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(&wait_loop, &word, Until::Ever, look, || None));
        word.store(1 << 2, Ordering::Release);
        assert!(!waiting.join().unwrap().slept);
    });
}
