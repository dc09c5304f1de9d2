//! Sleeping and waking under loom, where time stands still: a lost wake is a deadlock.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::sys::wait::model::check;

struct Words {
    word: AtomicU64,
}

impl Words {
    fn new() -> Arc<Self> {
        Arc::new(Self { word: AtomicU64::new(0) })
    }

    fn sleepers(&self) -> Sleepers<'_> {
        Sleepers::new(&self.word)
    }

    /// Changes the word to that for `count`, as a register's writer does it.
    fn change(&self, count: u64) {
        let before = self.word.swap(count << 2, Ordering::AcqRel);
        if before & ASLEEP != 0 {
            self.sleepers().wake(before);
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
    check(None, || {
        let words = Words::new();
        let waiting = thread::spawn({
            let words = words.clone();
            move || words.wait_for(true, |word| word >> 2 >= 1)
        });
        words.change(1);
        assert_eq!(waiting.join().unwrap() >> 2, 1);
    });
}

#[test]
fn loom_one_who_waits_for_the_second_change_is_woken() {
    check(None, || {
        let words = Words::new();
        let waiting = thread::spawn({
            let words = words.clone();
            move || words.wait_for(true, |word| word >> 2 >= 2)
        });
        words.change(1);
        words.change(2);
        assert_eq!(waiting.join().unwrap() >> 2, 2);
    });
}

#[test]
fn loom_all_sleepers_are_woken() {
    check(Some(3), || {
        let words = Words::new();
        let waiting = [1, 2].map(|least| {
            let words = words.clone();
            thread::spawn(move || words.wait_for(true, |word| word >> 2 >= least))
        });
        words.change(1);
        words.change(2);
        waiting.map(|waiting| waiting.join().unwrap());
    });
}

#[test]
fn loom_a_late_waker_spoils_nothing_for_the_next() {
    check(Some(3), || {
        let words = Words::new();
        let waiting = thread::spawn({
            let words = words.clone();
            move || {
                words.wait_for(true, |word| word >> 2 >= 1);
                words.wait_for(true, |word| word >> 2 >= 2)
            }
        });
        // The first waker may still be about to wake when the second one changes the word.
        let first = thread::spawn({
            let words = words.clone();
            move || words.change(1)
        });
        while words.word.load(Ordering::Acquire) >> 2 == 0 {
            spin_loop();
        }
        words.change(2);
        first.join().unwrap();
        waiting.join().unwrap();
    });
}

#[test]
fn loom_closing_wakes_everybody() {
    check(None, || {
        let words = Words::new();
        let waiting = thread::spawn({
            let words = words.clone();
            move || words.wait_for(true, |word| word & CLOSED != 0)
        });
        let had = words.word.fetch_or(CLOSED, Ordering::SeqCst);
        words.sleepers().wake(had);
        waiting.join().unwrap();
    });
}

#[test]
fn loom_one_who_may_not_write_is_woken_unasked() {
    check(None, || {
        let words = Words::new();
        let waiting = thread::spawn({
            let words = words.clone();
            move || words.wait_for(false, |word| word >> 2 >= 1)
        });
        let had = words.word.swap(1 << 2, Ordering::SeqCst);
        words.sleepers().wake(had);
        assert_eq!(waiting.join().unwrap() >> 2, 1);
    });
}
