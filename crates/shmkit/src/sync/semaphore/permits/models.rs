//! Permits under loom: none is lost or made, whoever dies where.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::crash::ends_at;
use crate::sync::sleepers::Habit;
use crate::sys::wait::model::{check, let_time_pass};

/// The slot of one who dies.
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
        Permits { given: &self.given, taken: &self.taken, slots: &self.slots }
    }

    /// Takes a permit for a slot, asleep until there is one, as a semaphore does it.
    fn take(&self, slot: u32, reap: bool) {
        let slow_look = || {
            if reap {
                self.permits().reap(DEAD, || true);
            }
            false
        };
        let mut waiter = Habit::default().waiter();
        let taken = self.permits().take(Some(slot), &mut waiter, None, slow_look);
        taken.expect("there is no time-out").unwrap();
    }

    /// What all slots hold, and what is to be had.
    fn sum(&self) -> u64 {
        let permits = self.permits();
        permits.settle(Permits::load(&self.taken), TAKEN);
        permits.settle(Permits::load(&self.given), GIVEN);
        let held = |slot| permits.held(slot as u32);
        permits.available() + (0..self.slots.len() / STRIDE).map(held).sum::<u64>()
    }
}

#[test]
fn loom_a_permit_is_one_s_and_none_is_lost() {
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

fn who_waits_gets_it() {
    let words = Words::new(0, 2);
    let waiting = thread::spawn({
        let words = words.clone();
        move || words.take(1, false)
    });
    words.permits().post(1).unwrap();
    waiting.join().unwrap();
    assert_eq!((words.permits().held(1), words.sum()), (1, 1));
}

#[test]
fn loom_who_waits_for_a_permit_gets_it() {
    check(Some(3), who_waits_gets_it);
}

#[test]
fn loom_two_who_wait_get_one_each() {
    check(Some(2), || {
        let words = Words::new(0, 3);
        let waiting = [1, 2].map(|slot| {
            let words = words.clone();
            thread::spawn(move || words.take(slot, false))
        });
        words.permits().post(1).unwrap();
        words.permits().post(1).unwrap();
        waiting.map(|it| it.join().unwrap());
        assert_eq!((words.permits().available(), words.sum()), (0, 2));
    });
}

#[test]
fn loom_a_permit_taken_by_one_who_dies_at_once_is_put_on_record_by_another() {
    check(Some(3), || {
        let words = Words::new(2, 3);
        assert!(ends_at("semaphore: taken, not on record", || {
            words.permits().try_take(Some(DEAD)).unwrap();
        }));
        // One takes, one looks for what the dead hold.
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
fn loom_of_two_who_give_a_dead_one_s_permit_back_one_does() {
    check(Some(3), || {
        let words = Words::new(1, 3);
        words.permits().try_take(Some(DEAD)).unwrap();
        let reaping = thread::spawn({
            let words = words.clone();
            move || words.permits().reap(DEAD, || true)
        });
        if !ends_at("semaphore: given back, not on record", || words.permits().reap(DEAD, || true))
        {
            words.permits().reap(DEAD, || true);
        }
        reaping.join().unwrap();
        assert_eq!((words.permits().available(), words.sum()), (1, 1));
    });
}

#[test]
fn loom_who_waits_for_a_dead_one_s_permit_gets_it() {
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
fn loom_a_consumed_permit_does_not_come_back() {
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
