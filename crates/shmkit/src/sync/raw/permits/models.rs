//! Permits under loom: none is lost or created, at whatever point a participant dies.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::crash::ends_at;
use crate::sys::wait::model::{check, let_time_pass};

/// The slot of a participant that dies.
const DEAD: u32 = 0;

struct Words {
    given: AtomicU64,
    taken: AtomicU64,
    slots: Vec<AtomicU64>,
}

impl Words {
    fn new(permits: u32, slots: usize) -> Arc<Self> {
        let new = |_| AtomicU64::new(0);
        let slots = (0..slots * STRIDE).map(new).collect();
        Arc::new(Self { given: AtomicU64::new(at_first(permits)), taken: new(0), slots })
    }

    fn permits(&self) -> Permits<'_> {
        Permits { given: &self.given, taken: &self.taken, slots: &self.slots, times: None }
    }

    /// Takes a permit for a slot, and sleeps until one is available, as a semaphore does.
    fn take(&self, slot: u32, reap: bool) {
        let check = |_: Extent<'_>| {
            if reap {
                self.permits().reap(DEAD, || true);
            }
            false
        };
        let wait_loop = WaitLoop::for_answer(0);
        self.permits().take(Some(slot), None, &wait_loop, Until::Ever, check).unwrap();
    }

    /// The permits that all slots hold, plus those that are available.
    fn sum(&self) -> u64 {
        let permits = self.permits();
        permits.settle(Permits::load(&self.taken), TAKEN);
        permits.settle(Permits::load(&self.given), GIVEN);
        let held = |slot| permits.held(slot as u32);
        permits.available() + (0..self.slots.len() / STRIDE).map(held).sum::<u64>()
    }
}

#[test]
fn loom_a_permit_has_one_holder_and_none_is_lost() {
    check(Some(3), || {
        let words = Words::new(1, 2);
        let taking = [0, 1].map(|slot| {
            let words = words.clone();
            thread::spawn(move || {
                let taken = words.permits().try_take(Some(slot)).is_ok();
                if taken {
                    words.permits().give_back(slot);
                }
                taken
            })
        });
        let taken = taking.map(|it| it.join().unwrap());
        assert!(taken[0] || taken[1]);
        assert_eq!((words.sum(), words.permits().available()), (1, 1));
    });
}

fn waiters_get_permits() {
    let words = Words::new(0, 2);
    let waiting = thread::spawn({
        let words = words.clone();
        move || words.take(1, false)
    });
    words.permits().post(1, MAX_PERMITS).unwrap();
    waiting.join().unwrap();
    assert_eq!((words.permits().held(1), words.sum()), (1, 1));
}

#[test]
fn loom_a_waiter_for_a_permit_gets_it() {
    check(Some(3), waiters_get_permits);
}

#[test]
fn loom_two_waiters_get_one_permit_each() {
    check(Some(2), || {
        let words = Words::new(0, 3);
        let waiting = [1, 2].map(|slot| {
            let words = words.clone();
            thread::spawn(move || words.take(slot, false))
        });
        words.permits().post(1, MAX_PERMITS).unwrap();
        words.permits().post(1, MAX_PERMITS).unwrap();
        waiting.map(|it| it.join().unwrap());
        assert_eq!((words.permits().available(), words.sum()), (0, 2));
    });
}

#[test]
fn loom_a_take_of_a_participant_that_dies_at_once_is_recorded_by_another() {
    check(Some(3), || {
        let words = Words::new(2, 3);
        assert!(ends_at("semaphore: permit taken, not recorded", || {
            words.permits().try_take(Some(DEAD)).unwrap();
        }));
        // One thread takes, the other reaps the dead participant's permits.
        let taking = thread::spawn({
            let words = words.clone();
            move || words.permits().try_take(Some(1)).unwrap()
        });
        words.permits().reap(DEAD, || true);
        taking.join().unwrap();
        words.permits().reap(DEAD, || true);
        assert_eq!((words.permits().held(DEAD), words.permits().held(1)), (0, 1));
        assert_eq!((words.permits().available(), words.sum()), (1, 2));
    });
}

#[test]
fn loom_of_two_that_give_back_a_dead_participant_s_permit_one_does() {
    check(Some(3), || {
        let words = Words::new(1, 3);
        words.permits().try_take(Some(DEAD)).unwrap();
        let reaping = thread::spawn({
            let words = words.clone();
            move || words.permits().reap(DEAD, || true)
        });
        if !ends_at("semaphore: permit given back, not recorded", || {
            words.permits().reap(DEAD, || true)
        }) {
            words.permits().reap(DEAD, || true);
        }
        reaping.join().unwrap();
        assert_eq!((words.permits().available(), words.sum()), (1, 1));
    });
}

#[test]
fn loom_a_waiter_for_a_dead_participant_s_permit_gets_it() {
    check(Some(2), || {
        let words = Words::new(1, 2);
        words.permits().try_take(Some(DEAD)).unwrap();
        let waiting = thread::spawn({
            let words = words.clone();
            move || words.take(1, true)
        });
        let_time_pass();
        waiting.join().unwrap();
        assert_eq!((words.permits().held(1), words.sum()), (1, 1));
    });
}

#[test]
fn loom_a_consumed_permit_is_not_given_back() {
    check(Some(3), || {
        let words = Words::new(2, 2);
        let giving = thread::spawn({
            let words = words.clone();
            move || {
                words.permits().try_take(Some(1)).unwrap();
                words.permits().give_back(1);
            }
        });
        words.permits().try_take(Some(1)).unwrap();
        words.permits().consume(1);
        giving.join().unwrap();
        assert_eq!((words.permits().held(1), words.permits().available()), (0, 1));
    });
}

#[test]
fn loom_a_permit_that_changes_hands_counts_for_the_maximum() {
    check(Some(3), || {
        let words = Words::new(1, 2);
        let taking = thread::spawn({
            let words = words.clone();
            move || {
                words.permits().try_take(Some(1)).unwrap();
                words.permits().give_back(1);
            }
        });
        let refused = words.permits().post(1, 1);
        assert!(matches!(refused, Err(PermitError::Full(_))), "{refused:?}");
        taking.join().unwrap();
        assert_eq!((words.sum(), words.permits().available()), (1, 1));
    });
}

#[test]
fn loom_of_two_posts_one_reaches_the_maximum() {
    check(Some(3), || {
        let words = Words::new(0, 1);
        let posting = thread::spawn({
            let words = words.clone();
            move || words.permits().post(1, 1)
        });
        let posted = [words.permits().post(1, 1), posting.join().unwrap()];
        assert_eq!(posted.iter().filter(|it| **it == Ok(0)).count(), 1, "{posted:?}");
        assert_eq!(words.permits().available(), 1);
    });
}

#[test]
fn loom_a_permit_whose_taker_died_at_once_counts_for_the_maximum() {
    check(Some(3), || {
        let words = Words::new(1, 2);
        assert!(ends_at("semaphore: permit taken, not recorded", || {
            words.permits().try_take(Some(DEAD)).unwrap();
        }));
        let reaping = thread::spawn({
            let words = words.clone();
            move || words.permits().reap(DEAD, || true)
        });
        let refused = words.permits().post(1, 1);
        assert!(matches!(refused, Err(PermitError::Full(_))), "{refused:?}");
        reaping.join().unwrap();
        words.permits().reap(DEAD, || true);
        assert_eq!((words.sum(), words.permits().available()), (1, 1));
    });
}
