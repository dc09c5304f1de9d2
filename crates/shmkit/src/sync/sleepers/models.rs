//! Sleeping and waking under loom, where time stands still: a lost wake is a deadlock.

use loom::sync::Arc;
use loom::thread;

use super::*;

const CLOSED: u64 = 1;

struct Words {
    word: AtomicU64,
    flag: AtomicU64,
}

impl Words {
    fn new() -> Arc<Self> {
        Arc::new(Self { word: AtomicU64::new(0), flag: AtomicU64::new(0) })
    }

    fn sleepers(&self) -> Sleepers<'_> {
        Sleepers::new(&self.word, &self.flag)
    }

    /// As a register's writer does it.
    fn change(&self, from: u64, to: u64) {
        let changed = self.word.compare_exchange(from, to, Ordering::SeqCst, Ordering::Relaxed);
        if changed.is_ok() {
            self.sleepers().wake();
        }
    }

    /// Sleeps until the word is one for which `there` holds, and returns it.
    fn wait_for(&self, announces: bool, there: impl Fn(u64) -> bool) -> u64 {
        let look = || Some(self.word.load(Ordering::Acquire)).filter(|word| there(*word));
        let mut waiter = Waiter::new(announces);
        waiter.wait(self.sleepers(), None, look, || None).expect("there is no time-out")
    }
}

#[test]
fn loom_the_sleeper_is_woken() {
    loom::model(|| {
        let words = Words::new();
        let waiting = thread::spawn({
            let words = words.clone();
            move || words.wait_for(true, |word| word >= 2)
        });
        words.change(0, 2);
        assert_eq!(waiting.join().unwrap(), 2);
    });
}

#[test]
fn loom_one_who_waits_for_the_second_change_is_woken() {
    loom::model(|| {
        let words = Words::new();
        let waiting = thread::spawn({
            let words = words.clone();
            move || words.wait_for(true, |word| word >= 4)
        });
        words.change(0, 2);
        words.change(2, 4);
        assert_eq!(waiting.join().unwrap(), 4);
    });
}

#[test]
fn loom_all_sleepers_are_woken() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let words = Words::new();
        let waiting = [2, 4].map(|least| {
            let words = words.clone();
            thread::spawn(move || words.wait_for(true, |word| word >= least))
        });
        words.change(0, 2);
        words.change(2, 4);
        waiting.map(|waiting| waiting.join().unwrap());
    });
}

#[test]
fn loom_a_flag_cleared_by_another_waker_loses_no_wake() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let words = Words::new();
        let waiting = thread::spawn({
            let words = words.clone();
            move || (words.wait_for(true, |word| word >= 2), words.wait_for(true, |word| word >= 4))
        });
        let other = thread::spawn({
            let words = words.clone();
            move || words.change(2, 4)
        });
        words.change(0, 2);
        other.join().unwrap();
        words.change(2, 4);
        waiting.join().unwrap();
    });
}

#[test]
fn loom_closing_wakes_everybody() {
    loom::model(|| {
        let words = Words::new();
        let waiting = thread::spawn({
            let words = words.clone();
            move || words.wait_for(true, |word| word & CLOSED != 0)
        });
        words.word.fetch_or(CLOSED, Ordering::SeqCst);
        words.sleepers().wake_unasked();
        waiting.join().unwrap();
    });
}

#[test]
fn loom_one_who_may_not_write_is_woken_unasked() {
    loom::model(|| {
        let words = Words::new();
        let waiting = thread::spawn({
            let words = words.clone();
            move || words.wait_for(false, |word| word >= 2)
        });
        words.word.store(2, Ordering::SeqCst);
        words.sleepers().wake_unasked();
        assert_eq!(waiting.join().unwrap(), 2);
    });
}
