//! The owner word under loom: contenders, a dead owner, waiting and closing.

use std::time::Duration;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::crash::ends_at;
use crate::sync::liveness::{DEAD, DeadIs, NOBODY_DIED, holder};
use crate::sys::wait::model::{check, let_time_pass};

/// A word, and what only its holder touches: loom reports two who do.
struct Guarded {
    word: AtomicU64,
    value: UnsafeCell<u32>,
}

impl Guarded {
    fn new() -> Arc<Self> {
        Arc::new(Self { word: AtomicU64::new(0), value: UnsafeCell::new(0) })
    }

    fn owner(&self) -> OwnerWord<'_> {
        OwnerWord::role(&self.word)
    }

    fn change(&self) {
        // SAFETY: the caller holds the word, and loom reports whoever else touches it.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }
}

// SAFETY: loom's cell finds every access that is not ordered.
unsafe impl Sync for Guarded {}
// SAFETY: as above.
unsafe impl Send for Guarded {}

#[test]
fn loom_of_two_who_find_the_owner_dead_one_replaces_him() {
    check(None, || {
        let guarded = Guarded::new();
        guarded.owner().try_acquire(DEAD, Mode::Exclusive, &NOBODY_DIED).unwrap();
        let contender = |slot| {
            let guarded = guarded.clone();
            move || {
                let taken =
                    guarded.owner().try_acquire(holder(slot), Mode::Exclusive, &DeadIs(Some(DEAD)));
                if taken.is_ok() {
                    guarded.change();
                }
                taken
            }
        };
        let other = thread::spawn(contender(1));
        let mine = contender(2)();
        let other = other.join().unwrap();
        let taken = Ok(Acquired::FromDead(DEAD));
        assert!(
            (mine == taken && other == Err(AcquireError::Held(holder(2))))
                || (other == taken && mine == Err(AcquireError::Held(holder(1)))),
            "{mine:?} {other:?}"
        );
        assert_eq!(guarded.owner().look().deaths(), 1);
    });
}

/// `contenders` each take the word, change what it guards, and give it back.
fn contend(guarded: &Arc<Guarded>, contenders: u32) {
    let contender = |slot| {
        let guarded = guarded.clone();
        move || {
            guarded
                .owner()
                .acquire(holder(slot), Mode::Exclusive, &NOBODY_DIED, &Spin::default(), Until::Ever)
                .unwrap();
            guarded.change();
            assert!(guarded.owner().release(holder(slot)));
        }
    };
    let others: Vec<_> = (2..=contenders).map(|slot| thread::spawn(contender(slot))).collect();
    contender(1)();
    others.into_iter().for_each(|other| other.join().unwrap());
    assert_eq!(guarded.owner().look().holder(), None);
    guarded.value.with(|value| {
        // SAFETY: all have ended.
        assert_eq!(unsafe { *value }, contenders);
    });
}

#[test]
fn loom_two_take_turns_and_nobody_sleeps_for_ever() {
    check(None, || contend(&Guarded::new(), 2));
}

#[test]
fn loom_three_take_turns_and_nobody_sleeps_for_ever() {
    check(Some(2), || contend(&Guarded::new(), 3));
}

#[test]
fn loom_who_waits_is_told_that_the_word_was_closed() {
    check(None, || {
        let guarded = Guarded::new();
        guarded.owner().try_acquire(holder(1), Mode::Exclusive, &NOBODY_DIED).unwrap();
        let waiting = thread::spawn({
            let guarded = guarded.clone();
            move || {
                guarded.owner().acquire(
                    holder(2),
                    Mode::Exclusive,
                    &NOBODY_DIED,
                    &Spin::default(),
                    Until::Ever,
                )
            }
        });
        guarded.owner().close();
        assert_eq!(waiting.join().unwrap(), Err(AcquireError::Closed));
        assert!(guarded.owner().release(holder(1)));
    });
}

#[test]
fn loom_who_waits_for_one_who_dies_takes_his_place() {
    check(None, || {
        let guarded = Guarded::new();
        guarded.owner().try_acquire(DEAD, Mode::Exclusive, &NOBODY_DIED).unwrap();
        let waiting = thread::spawn({
            let guarded = guarded.clone();
            move || {
                let taken = guarded.owner().acquire(
                    holder(2),
                    Mode::Exclusive,
                    &DeadIs(Some(DEAD)),
                    &Spin::default(),
                    Until::after(Duration::ZERO),
                );
                guarded.change();
                taken
            }
        });
        let_time_pass();
        assert_eq!(waiting.join().unwrap(), Ok(Acquired::FromDead(DEAD)));
        assert_eq!(guarded.owner().look().deaths(), 1);
    });
}

#[test]
fn loom_one_who_dies_before_waking_others_only_delays_them() {
    check(None, || {
        let guarded = Guarded::new();
        guarded.owner().try_acquire(DEAD, Mode::Exclusive, &NOBODY_DIED).unwrap();
        let waiting = thread::spawn({
            let guarded = guarded.clone();
            move || {
                guarded.owner().acquire(
                    holder(2),
                    Mode::Exclusive,
                    &NOBODY_DIED,
                    &Spin::default(),
                    Until::Ever,
                )
            }
        });
        if ends_at("owner: freed, nobody woken", || assert!(guarded.owner().release(DEAD))) {
            // No wake comes, so nothing else would end this sleep.
            let_time_pass();
        }
        assert_eq!(waiting.join().unwrap(), Ok(Acquired::Free));
    });
}

/// Takes a lock once, changes what it guards, and gives it back.
fn lock_once(guarded: &Guarded, slot: u32, liveness: &impl Liveness) -> bool {
    let (lock, spin) = (OwnerWord::lock(&guarded.word), Spin::default());
    lock.acquire(holder(slot), Mode::Exclusive, liveness, &spin, Until::Ever).unwrap();
    guarded.change();
    let marked = lock.look().is_inconsistent();
    assert!(lock.release(holder(slot)));
    marked
}

#[test]
fn loom_three_who_lock_take_turns_and_nobody_sleeps_for_ever() {
    check(Some(2), || {
        let guarded = Guarded::new();
        let others = [1, 2].map(|slot| {
            let guarded = guarded.clone();
            thread::spawn(move || lock_once(&guarded, slot, &NOBODY_DIED))
        });
        lock_once(&guarded, 3, &NOBODY_DIED);
        others.map(|other| assert!(!other.join().unwrap()));
        assert_eq!(guarded.word.load(Ordering::Relaxed), 0, "nothing is left in the word");
    });
}

#[test]
fn loom_a_lock_whose_holder_died_is_marked_for_all_who_come_after() {
    check(Some(2), || {
        let guarded = Guarded::new();
        OwnerWord::lock(&guarded.word).try_acquire(DEAD, Mode::Exclusive, &NOBODY_DIED).unwrap();
        let other = thread::spawn({
            let guarded = guarded.clone();
            move || lock_once(&guarded, 1, &DeadIs(Some(DEAD)))
        });
        let_time_pass();
        assert!(lock_once(&guarded, 2, &DeadIs(Some(DEAD))));
        assert!(other.join().unwrap());
    });
}
