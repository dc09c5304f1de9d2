//! Events under loom.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::crash::ends_at;
use crate::participant::models::NOBODY_DIED;
use crate::sys::wait::model::{check, let_time_pass};

struct Word(AtomicU64, Reset);

impl Word {
    fn new(reset: Reset) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(0), reset))
    }

    fn event(&self) -> EventWord<'_> {
        EventWord::new(&self.0, self.1)
    }

    fn wait(&self) {
        let (event, wait_loop) = (self.event(), WaitLoop::for_answer(0));
        event.wait(event.look(), &wait_loop, Until::Ever, &NOBODY_DIED).expect("it is set");
    }
}

#[test]
fn loom_a_waiter_for_an_event_continues() {
    for reset in [Reset::Manual, Reset::Automatic] {
        check(Some(3), move || {
            let word = Word::new(reset);
            let waiting = thread::spawn({
                let word = word.clone();
                move || word.wait()
            });
            assert!(word.event().set());
            waiting.join().unwrap();
            assert_eq!(word.event().is_set(), reset == Reset::Manual);
        });
    }
}

#[test]
fn loom_a_waiter_when_it_was_set_continues_although_it_is_reset() {
    check(Some(3), || {
        let word = Word::new(Reset::Manual);
        let begun = word.event().look();
        let waiting = thread::spawn({
            let word = word.clone();
            move || {
                let wait_loop = WaitLoop::for_answer(0);
                word.event().wait(begun, &wait_loop, Until::Ever, &NOBODY_DIED).unwrap();
            }
        });
        word.event().set();
        word.event().reset();
        waiting.join().unwrap();
    });
}

fn two_take_two() {
    let word = Word::new(Reset::Automatic);
    let waiting = [1, 2].map(|_| {
        let word = word.clone();
        thread::spawn(move || word.wait())
    });
    word.event().set();
    // Not before the first set was taken: two sets without a take are one.
    while word.event().is_set() {
        thread::yield_now();
    }
    word.event().set();
    waiting.map(|waiting| waiting.join().unwrap());
    assert!(!word.event().is_set());
}

#[test]
fn loom_two_waiters_take_one_set_each() {
    check(Some(2), two_take_two);
}

#[test]
fn loom_a_setter_that_dies_before_its_wake_only_delays_the_waiter() {
    check(Some(3), || {
        let word = Word::new(Reset::Automatic);
        let waiting = thread::spawn({
            let word = word.clone();
            move || word.wait()
        });
        if ends_at("wait: word changed, nobody woken", || assert!(word.event().set())) {
            let_time_pass();
        }
        waiting.join().unwrap();
    });
}
