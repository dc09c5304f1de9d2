//! Waiting for many sources under loom: a lost wake is a deadlock.

use loom::thread;

use super::*;
use crate::sys::notices::{Nobody, Notices, ObjectNotices};
use crate::sys::wait::model::check;
use crate::wait::{ASLEEP, Extent, SleepTicket, WaitWord, Wake};

/// Above the marks: how many times the word was changed.
const ONE: u64 = 4;

/// A word that is ready once it was changed, and an object whose holder can die.
struct Word {
    word: AtomicU64,
    lock_is_free: AtomicU64,
    notices: Option<Notices>,
}

impl Word {
    fn new(notices: Option<Notices>) -> Arc<Self> {
        let [word, lock_is_free] = [0; 2].map(AtomicU64::new);
        Arc::new(Self { word, lock_is_free, notices })
    }

    fn wait_word(&self) -> WaitWord<'_> {
        WaitWord::new(&self.word)
    }

    /// Makes it ready, and wakes one waiter.
    fn change(&self) {
        let mut seen = self.wait_word().load(Ordering::Acquire);
        loop {
            let next = (seen & !ASLEEP) + ONE;
            match self.wait_word().change(seen, next, Ordering::AcqRel, Wake::One) {
                Ok(()) => return,
                Err(found) => seen = found,
            }
        }
    }
}

impl Source for Word {
    fn poll(&self, _sleeps: bool) -> Readiness<'_> {
        match self.wait_word().load(Ordering::Acquire) {
            seen if seen >= ONE => Readiness::Ready,
            seen => Readiness::Pending(SleepTicket::new(self.wait_word(), seen)),
        }
    }

    fn check(&self, _extent: Extent<'_>) -> bool {
        self.lock_is_free.load(Ordering::Acquire) == 1
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.notices.as_ref().map(|notices| notices.about(&Nobody))
    }

    fn pass_wake_on(&self) {
        self.wait_word().mark_asleep_if(|_| true);
        if self.wait_word().load(Ordering::Acquire) >= ONE {
            self.wait_word().pass_wake_on();
        }
    }
}

fn group_of(words: &[&Arc<Word>]) -> Arc<Group> {
    let group = Group::new();
    group.add(words.iter().map(|word| (*word).clone() as Arc<dyn Source>));
    Arc::new(group)
}

fn wait(group: &Group) -> Vec<u64> {
    let mut ready = Vec::new();
    group.wait(Until::Ever, &mut ready).expect("there is no deadline");
    ready
}

fn start_waiting(group: &Arc<Group>) -> thread::JoinHandle<Vec<u64>> {
    let group = group.clone();
    thread::spawn(move || wait(&group))
}

#[test]
fn loom_a_change_of_each_word_ends_the_wait_of_a_group() {
    check(Some(3), || {
        let words = [Word::new(None), Word::new(None)];
        let group = group_of(&[&words[0], &words[1]]);
        let waiting = start_waiting(&group);
        words[1].change();
        assert_eq!(waiting.join().unwrap(), [1]);
    });
}

#[test]
fn loom_two_changes_end_the_waits_of_two_groups() {
    check(Some(2), || {
        let words = [Word::new(None), Word::new(None)];
        let groups = [group_of(&[&words[0], &words[1]]), group_of(&[&words[1]])];
        let waiting = [start_waiting(&groups[0]), start_waiting(&groups[1])];
        // It wakes one of them, which takes nothing and passes the wake on.
        words[1].change();
        for waiting in waiting {
            assert!(!waiting.join().unwrap().is_empty());
        }
    });
}

#[test]
fn loom_a_source_that_is_added_ends_the_wait_of_a_group() {
    check(Some(3), || {
        let words = [Word::new(None), Word::new(None)];
        words[1].change();
        let group = group_of(&[&words[0]]);
        let waiting = start_waiting(&group);
        group.add([words[1].clone() as Arc<dyn Source>]);
        assert_eq!(waiting.join().unwrap(), [1]);
    });
}

#[test]
fn loom_a_waiter_of_a_source_that_is_removed_leaves_its_wake_to_others() {
    check(Some(2), || {
        let words = [Word::new(None), Word::new(None)];
        let groups = [group_of(&[&words[0], &words[1]]), group_of(&[&words[1]])];
        let waiting = [start_waiting(&groups[0]), start_waiting(&groups[1])];
        groups[0].remove(|id| id == 1);
        words[1].change();
        let [removed, other] = waiting;
        assert_eq!(other.join().unwrap(), [0]);
        words[0].change();
        assert!(!removed.join().unwrap().is_empty());
    });
}

#[test]
fn loom_a_death_notice_ends_the_wait_of_a_group() {
    check(Some(2), || {
        let words = [Word::new(Some(Notices::in_model())), Word::new(None)];
        let group = group_of(&[&words[0]]);
        let waiting = start_waiting(&group);
        let notices = words[0].notices.as_ref().unwrap();
        notices.announce();
        words[0].lock_is_free.store(1, Ordering::Release);
        notices.announce();
        assert_eq!(waiting.join().unwrap(), [0]);
    });
}
