//! Sleeping and waking under loom, where time stands still: a lost wake is a deadlock.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::memory::atomic::{AtomicU64, Ordering, spin_loop};
use crate::sys::notices::{Nobody, Notices};
use crate::sys::wait::model::check;

struct Words {
    word: AtomicU64,
}

/// An object whose holder dies: a word that does not change, a liveness lock, and notices.
struct Watched {
    words: Arc<Words>,
    lock_is_free: AtomicU64,
    notices: Notices,
}

impl Watched {
    fn new() -> Arc<Self> {
        let (lock_is_free, notices) = (AtomicU64::new(0), Notices::in_model());
        Arc::new(Self { words: Words::new(), lock_is_free, notices })
    }

    /// Sleeps until the word is 1, or the slow check finds the lock free.
    fn wait(&self) -> &'static str {
        let word = WaitWord::new(&self.words.word);
        let poll = |_: &Standing| match word.load(Ordering::Acquire) {
            seen if seen >> 2 == 1 => Poll::Ready("changed"),
            seen => Poll::Pending(SleepTicket::new(word, seen)),
        };
        let is_dead = || self.lock_is_free.load(Ordering::Acquire) == 1;
        let check = |_: Extent<'_>| is_dead().then_some(Checked::Found("dead"));
        let notices = self.notices.about(&Nobody);
        let waited = WaitLoop::for_answer(0).wait(Some(notices), Until::Ever, poll, check);
        waited.found.expect("there is no deadline")
    }

    /// The holder dies: the system reports it, and then the lock becomes free. The event is
    /// announced again.
    fn holder_dies(&self) {
        self.notices.announce();
        self.lock_is_free.store(1, Ordering::Release);
        self.notices.announce();
    }
}

impl Words {
    fn new() -> Arc<Self> {
        Arc::new(Self { word: AtomicU64::new(0) })
    }

    /// Changes the word to that for `count`, as a register's writer does.
    fn change(&self, count: u64) {
        self.change_for(count, false);
    }

    fn change_for(&self, count: u64, read_only_peers: bool) {
        let word = WaitWord::new(&self.word).with_read_only_peers(read_only_peers);
        let mut had = word.load(Ordering::Relaxed);
        while let Err(found) = word.change(had, count << 2, Ordering::AcqRel, Wake::All) {
            had = found;
        }
    }

    /// Sleeps until `is_ready` is true for the word, and returns the word.
    fn wait_for(&self, may_write: bool, is_ready: impl Fn(u64) -> bool) -> u64 {
        let word = WaitWord::new(&self.word);
        let poll = |_: &Standing| match word.load(Ordering::Acquire) {
            seen if is_ready(seen) => Poll::Ready(seen),
            seen if may_write => Poll::Pending(SleepTicket::new(word, seen)),
            seen => Poll::Pending(SleepTicket::new(word, seen).unmarked(true)),
        };
        let waited = WaitLoop::for_answer(0).wait(None, Until::Ever, poll, |_| None);
        waited.found.expect("there is no deadline")
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
fn loom_a_waiter_for_the_second_change_is_woken() {
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
fn loom_a_late_waker_causes_no_lost_wake_at_the_next_change() {
    check(Some(3), || {
        let words = Words::new();
        let waiting = thread::spawn({
            let words = words.clone();
            move || {
                words.wait_for(true, |word| word >> 2 >= 1);
                words.wait_for(true, |word| word >> 2 >= 2)
            }
        });
        // The first waker may still be about to wake when the second changes the word.
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
fn loom_closing_wakes_all() {
    check(None, || {
        let words = Words::new();
        let waiting = thread::spawn({
            let words = words.clone();
            move || words.wait_for(true, |word| word & CLOSED != 0)
        });
        WaitWord::new(&words.word).close();
        waiting.join().unwrap();
    });
}

#[test]
fn loom_a_waiter_that_may_not_write_is_woken_without_a_mark() {
    check(None, || {
        let words = Words::new();
        let waiting = thread::spawn({
            let words = words.clone();
            move || words.wait_for(false, |word| word >> 2 >= 1)
        });
        words.change_for(1, true);
        assert_eq!(waiting.join().unwrap() >> 2, 1);
    });
}

#[test]
fn loom_a_death_is_noticed_when_the_notices_are_armed_at_any_moment() {
    check(None, || {
        let object = Watched::new();
        let waiting = thread::spawn({
            let object = object.clone();
            move || object.wait()
        });
        object.holder_dies();
        assert_eq!(waiting.join().unwrap(), "dead");
    });
}

#[test]
fn loom_a_death_is_noticed_by_two_waiters() {
    check(Some(2), || {
        let object = Watched::new();
        object.notices.about(&Nobody).arm();
        let waiting = [(); 2].map(|()| {
            let object = object.clone();
            thread::spawn(move || object.wait())
        });
        // Announced once, after the unlock: the other models announce before it, too. With two
        // waiters that has too many branches for loom.
        object.lock_is_free.store(1, Ordering::Release);
        object.notices.announce();
        waiting.map(|waiting| assert_eq!(waiting.join().unwrap(), "dead"));
    });
}

#[test]
fn loom_a_change_and_a_death_at_once_end_the_wait() {
    check(Some(3), || {
        let object = Watched::new();
        object.notices.about(&Nobody).arm();
        let waiting = thread::spawn({
            let object = object.clone();
            move || object.wait()
        });
        let changing = thread::spawn({
            let words = object.words.clone();
            move || words.change(1)
        });
        object.holder_dies();
        waiting.join().unwrap();
        changing.join().unwrap();
    });
}

#[test]
fn loom_a_wake_that_never_comes_is_replaced_by_a_notice() {
    check(None, || {
        let object = Watched::new();
        object.notices.about(&Nobody).arm();
        let waiting = thread::spawn({
            let object = object.clone();
            move || object.wait()
        });
        // The waker dies between the change and the wake.
        let word = WaitWord::new(&object.words.word);
        let mut had = word.load(Ordering::Relaxed);
        while let Err(found) = word.change(had, 1 << 2, Ordering::AcqRel, Wake::Nobody) {
            had = found;
        }
        object.notices.announce();
        assert_eq!(waiting.join().unwrap(), "changed");
    });
}

/// Waits for a change of the word, and returns what stopped the wait.
fn wait_until_stopped(words: &Words) -> Option<Stop> {
    let word = WaitWord::new(&words.word);
    let poll = |_: &Standing| match word.load(Ordering::Acquire) {
        seen if seen >> 2 == 1 => Poll::Ready(()),
        seen => Poll::Pending(SleepTicket::new(word, seen)),
    };
    let waited = WaitLoop::for_answer(0).wait(None, Until::Ever, poll, |_| None::<Checked<()>>);
    waited.stopped.filter(|_| waited.found.is_none())
}

#[test]
fn loom_a_wait_whose_token_is_cancelled_ends() {
    check(Some(3), || {
        let (words, token) = (Words::new(), CancelToken::new());
        let waiting = thread::spawn({
            let (words, token) = (words.clone(), token.clone());
            move || token.run(|| wait_until_stopped(&words))
        });
        token.cancel();
        assert_eq!(waiting.join().unwrap(), Some(Stop::Cancelled));
    });
}

#[test]
fn loom_a_wait_ends_by_its_token_or_by_the_change() {
    check(Some(2), || {
        let (words, token) = (Words::new(), CancelToken::new());
        let waiting = thread::spawn({
            let (words, token) = (words.clone(), token.clone());
            move || token.run(|| wait_until_stopped(&words))
        });
        words.change(1);
        token.cancel();
        waiting.join().unwrap();
        assert_eq!(token.run(|| wait_until_stopped(&words)), None, "it need not wait");
    });
}
