//! The owner word under loom: contenders, a dead owner, waiting and closing.

use std::time::Duration;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::crash::ends_at;
use crate::participant::models::{DEAD, DeadIs, NOBODY_DIED, living};
use crate::sys::wait::model::{check, let_time_pass};

/// A word, and a value that only its holder may access: loom reports two concurrent accesses.
struct Guarded {
    word: AtomicU64,
    value: UnsafeCell<u32>,
}

impl Guarded {
    fn new() -> Arc<Self> {
        Arc::new(Self { word: AtomicU64::new(0), value: UnsafeCell::new(0) })
    }

    fn owner(&self) -> OwnerWord<'_> {
        OwnerWord::of_role(&self.word)
    }

    fn change(&self) {
        // SAFETY: the caller holds the word, and loom reports any other concurrent access.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }
}

// SAFETY: loom's cell finds every access that is not ordered.
unsafe impl Sync for Guarded {}
// SAFETY: as above.
unsafe impl Send for Guarded {}

fn acquire(
    word: OwnerWord<'_>,
    me: ParticipantId,
    liveness: &impl Liveness,
    until: Until,
) -> Result<Acquired, AcquireError> {
    word.acquire(me, Mode::Exclusive, liveness, &WaitLoop::for_answer(0), until)
}

#[test]
fn loom_of_two_that_find_the_owner_dead_one_replaces_it() {
    check(None, || {
        let guarded = Guarded::new();
        acquire(guarded.owner(), DEAD, &NOBODY_DIED, Until::Now).unwrap();
        let contender = |slot| {
            let guarded = guarded.clone();
            move || {
                let taken = acquire(guarded.owner(), living(slot), &DeadIs(Some(DEAD)), Until::Now);
                if taken.is_ok() {
                    guarded.change();
                }
                taken
            }
        };
        let other = thread::spawn(contender(1));
        let mine = contender(2)();
        let other = other.join().unwrap();
        let taken = Ok(Acquired::Inconsistent);
        assert!(
            (mine == taken && other == Err(AcquireError::Held(living(2))))
                || (other == taken && mine == Err(AcquireError::Held(living(1)))),
            "{mine:?} {other:?}"
        );
        assert_eq!(guarded.owner().look().deaths(), 1);
    });
}

/// `contenders` threads each acquire the word, change the guarded value, and release the word.
fn contend(guarded: &Arc<Guarded>, contenders: u32) {
    let contender = |slot| {
        let guarded = guarded.clone();
        move || {
            acquire(guarded.owner(), living(slot), &NOBODY_DIED, Until::Ever).unwrap();
            guarded.change();
            assert!(guarded.owner().release(living(slot)));
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
fn loom_two_take_turns_and_no_waiter_sleeps_forever() {
    check(None, || contend(&Guarded::new(), 2));
}

#[test]
fn loom_three_take_turns_and_no_waiter_sleeps_forever() {
    check(Some(2), || contend(&Guarded::new(), 3));
}

#[test]
fn loom_a_waiter_gets_closed_when_the_word_is_closed() {
    check(None, || {
        let guarded = Guarded::new();
        acquire(guarded.owner(), living(1), &NOBODY_DIED, Until::Now).unwrap();
        let waiting = thread::spawn({
            let guarded = guarded.clone();
            move || acquire(guarded.owner(), living(2), &NOBODY_DIED, Until::Ever)
        });
        guarded.owner().close();
        assert_eq!(waiting.join().unwrap(), Err(AcquireError::Closed));
        assert!(guarded.owner().release(living(1)));
    });
}

#[test]
fn loom_a_waiter_replaces_a_holder_that_dies() {
    check(None, || {
        let guarded = Guarded::new();
        acquire(guarded.owner(), DEAD, &NOBODY_DIED, Until::Now).unwrap();
        let waiting = thread::spawn({
            let guarded = guarded.clone();
            move || {
                let taken = acquire(
                    guarded.owner(),
                    living(2),
                    &DeadIs(Some(DEAD)),
                    Until::after(Duration::ZERO),
                );
                guarded.change();
                taken
            }
        });
        let_time_pass();
        assert_eq!(waiting.join().unwrap(), Ok(Acquired::Inconsistent));
        assert_eq!(guarded.owner().look().deaths(), 1);
    });
}

#[test]
fn loom_a_holder_that_dies_before_its_wake_only_delays_the_waiters() {
    check(None, || {
        let guarded = Guarded::new();
        acquire(guarded.owner(), DEAD, &NOBODY_DIED, Until::Now).unwrap();
        let waiting = thread::spawn({
            let guarded = guarded.clone();
            move || acquire(guarded.owner(), living(2), &NOBODY_DIED, Until::Ever)
        });
        if ends_at("wait: word changed, nobody woken", || assert!(guarded.owner().release(DEAD))) {
            // No wake comes, so only time can end the waiter's sleep.
            let_time_pass();
        }
        assert_eq!(waiting.join().unwrap(), Ok(Acquired::Clean));
    });
}

/// Acquires a lock once, changes the guarded value, and releases the lock.
fn lock_once(guarded: &Guarded, slot: u32, liveness: &impl Liveness) -> bool {
    let lock = OwnerWord::of_lock(&guarded.word);
    acquire(lock, living(slot), liveness, Until::Ever).unwrap();
    guarded.change();
    let inconsistent = lock.look().is_inconsistent();
    assert!(lock.release(living(slot)));
    inconsistent
}

#[test]
fn loom_three_threads_lock_in_turn_and_no_waiter_sleeps_forever() {
    check(Some(2), || {
        let guarded = Guarded::new();
        let others = [1, 2].map(|slot| {
            let guarded = guarded.clone();
            thread::spawn(move || lock_once(&guarded, slot, &NOBODY_DIED))
        });
        lock_once(&guarded, 3, &NOBODY_DIED);
        others.map(|other| assert!(!other.join().unwrap()));
        assert_eq!(guarded.word.load(Ordering::Relaxed), 0, "the word is free and has no marks");
    });
}

#[test]
fn loom_a_lock_whose_holder_died_is_inconsistent_for_every_later_holder() {
    check(Some(2), || {
        let guarded = Guarded::new();
        acquire(OwnerWord::of_lock(&guarded.word), DEAD, &NOBODY_DIED, Until::Now).unwrap();
        let other = thread::spawn({
            let guarded = guarded.clone();
            move || lock_once(&guarded, 1, &DeadIs(Some(DEAD)))
        });
        let_time_pass();
        assert!(lock_once(&guarded, 2, &DeadIs(Some(DEAD))));
        assert!(other.join().unwrap());
    });
}
