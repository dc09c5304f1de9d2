//! Sharing and excluding under loom.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::crash::ends_at;
use crate::participant::models::{DEAD, DeadIs, NOBODY_DIED, living};
use crate::sys::wait::model::{check, let_time_pass};

/// A lock's words, and a guarded value: loom reports an access that the lock should exclude.
struct Guarded {
    owner: AtomicU64,
    used: AtomicU64,
    shares: Vec<AtomicU64>,
    value: UnsafeCell<u32>,
}

// SAFETY: loom's cell finds every access that is not ordered.
unsafe impl Sync for Guarded {}
// SAFETY: as above.
unsafe impl Send for Guarded {}

impl Guarded {
    /// A lock that the slots up to `last` use.
    fn new(last: u32) -> Arc<Self> {
        let new = || AtomicU64::new(0);
        let shares = (0..=last as usize * STRIDE).map(|_| new()).collect();
        let guarded = Self { owner: new(), used: new(), shares, value: UnsafeCell::new(0) };
        guarded.shares().adopt(DEAD);
        (1..=last).for_each(|slot| guarded.shares().adopt(living(slot)));
        Arc::new(guarded)
    }

    fn shares(&self) -> Shares<'_> {
        let owner = OwnerWord::of_lock(&self.owner);
        Shares { owner, used: &self.used, words: &self.shares }
    }

    fn own(&self, me: ParticipantId) -> OwnShare<'_> {
        let owner = OwnerWord::of_lock(&self.owner);
        OwnShare { owner, word: &self.shares[me.slot() as usize * STRIDE], me }
    }

    fn take(&self, me: ParticipantId, liveness: &impl Liveness) {
        let (owner, wait_loop) = (self.shares().owner, WaitLoop::for_answer(0));
        owner.acquire(me, Mode::Draining, liveness, &wait_loop, Until::Ever).unwrap();
        self.shares().drain(me, liveness, &WaitLoop::for_answer(0), Until::Ever).unwrap();
    }

    fn write(&self, slot: u32, liveness: &impl Liveness) {
        self.take(living(slot), liveness);
        // SAFETY: no other thread holds the lock, or loom reports it.
        self.value.with_mut(|value| unsafe { *value += 1 });
        assert!(self.shares().owner.release(living(slot)));
    }

    fn share(&self, slot: u32, liveness: &impl Liveness) -> bool {
        let mine = self.own(living(slot));
        let wait = |_| mine.share_within(liveness, &WaitLoop::for_answer(0), Until::Ever);
        mine.try_share().map(State::acquired).or_else(wait).unwrap() == Acquired::Inconsistent
    }

    fn read(&self, slot: u32, liveness: &impl Liveness) -> u32 {
        self.share(slot, liveness);
        // SAFETY: no thread changes it, or loom reports it.
        let seen = self.value.with(|value| unsafe { *value });
        self.own(living(slot)).unshare();
        seen
    }
}

fn a_reader_and_a_writer() {
    let guarded = Guarded::new(2);
    let reading = thread::spawn({
        let guarded = guarded.clone();
        move || guarded.read(1, &NOBODY_DIED)
    });
    guarded.write(2, &NOBODY_DIED);
    assert!(reading.join().unwrap() <= 1);
    assert!(guarded.shares().nobody_shares());
}

#[test]
fn loom_no_thread_reads_while_another_writes_and_no_waiter_sleeps_forever() {
    check(Some(3), a_reader_and_a_writer);
}

#[test]
fn loom_two_readers_and_a_writer() {
    check(Some(2), || {
        let guarded = Guarded::new(3);
        let reading = [1, 2].map(|slot| {
            let guarded = guarded.clone();
            thread::spawn(move || guarded.read(slot, &NOBODY_DIED))
        });
        guarded.write(3, &NOBODY_DIED);
        reading.map(|reading| assert!(reading.join().unwrap() <= 1));
    });
}

#[test]
fn loom_two_writers_and_a_reader() {
    check(Some(2), || {
        let guarded = Guarded::new(3);
        let writing = [1, 2].map(|slot| {
            let guarded = guarded.clone();
            thread::spawn(move || guarded.write(slot, &NOBODY_DIED))
        });
        assert!(guarded.read(3, &NOBODY_DIED) <= 2);
        writing.map(|writing| writing.join().unwrap());
        assert_eq!(guarded.read(3, &NOBODY_DIED), 2);
    });
}

#[test]
fn loom_no_writer_acquires_the_lock_during_an_upgrade() {
    check(Some(2), || {
        let guarded = Guarded::new(2);
        let me = living(1);
        let upgrading = thread::spawn({
            let guarded = guarded.clone();
            move || {
                let owner = guarded.shares().owner;
                let wait_loop = WaitLoop::for_answer(0);
                owner.acquire(me, Mode::Upgradable, &NOBODY_DIED, &wait_loop, Until::Ever).unwrap();
                // SAFETY: no thread writes, or loom reports it.
                let seen = guarded.value.with(|value| unsafe { *value });
                assert!(owner.change_mode(me, Mode::Draining));
                let wait_loop = WaitLoop::for_answer(0);
                guarded.shares().drain(me, &NOBODY_DIED, &wait_loop, Until::Ever).unwrap();
                guarded.value.with_mut(|value| {
                    // SAFETY: no other thread holds the lock, or loom reports it.
                    let value = unsafe { &mut *value };
                    assert_eq!(*value, seen);
                    *value += 1;
                });
                assert!(owner.release(me));
            }
        });
        guarded.write(2, &NOBODY_DIED);
        upgrading.join().unwrap();
        assert_eq!(guarded.read(2, &NOBODY_DIED), 2);
    });
}

#[test]
fn loom_a_dead_reader_does_not_exclude_a_writer() {
    check(Some(2), || {
        let guarded = Guarded::new(2);
        assert!(ends_at("rwlock: shared, owner not yet seen", || {
            let _ = guarded.own(DEAD).try_share();
        }));
        let writing = thread::spawn({
            let guarded = guarded.clone();
            move || guarded.write(1, &DeadIs(Some(DEAD)))
        });
        guarded.write(2, &DeadIs(Some(DEAD)));
        writing.join().unwrap();
    });
}

#[test]
fn loom_a_reader_that_dies_before_its_wake_only_delays_the_writer() {
    check(Some(2), || {
        let guarded = Guarded::new(1);
        let writing = thread::spawn({
            let guarded = guarded.clone();
            move || guarded.write(1, &NOBODY_DIED)
        });
        let share = || guarded.own(DEAD).try_share().map(|_| guarded.own(DEAD).unshare());
        if ends_at("wait: word changed, nobody woken", || drop(share())) {
            let_time_pass();
        }
        writing.join().unwrap();
    });
}

#[test]
fn loom_readers_find_a_dead_writer_and_the_lock_is_inconsistent() {
    check(Some(2), || {
        let guarded = Guarded::new(2);
        guarded.take(DEAD, &NOBODY_DIED);
        let sharing = thread::spawn({
            let guarded = guarded.clone();
            move || {
                let marked = guarded.share(1, &DeadIs(Some(DEAD)));
                guarded.own(living(1)).unshare();
                marked
            }
        });
        let_time_pass();
        guarded.write(2, &DeadIs(Some(DEAD)));
        assert!(sharing.join().unwrap());
    });
}
