//! Sharing and excluding under loom.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::crash::ends_at;
use crate::sync::liveness::{DEAD, DeadIs, NOBODY_DIED, holder};
use crate::sys::wait::model::{check, let_time_pass};

/// A lock's words, and what it guards: loom reports who touches it out of turn.
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
    /// Used by the slots up to `last`.
    fn new(last: u32) -> Arc<Self> {
        let new = || AtomicU64::new(0);
        let shares = (0..=last as usize * STRIDE).map(|_| new()).collect();
        let guarded = Self { owner: new(), used: new(), shares, value: UnsafeCell::new(0) };
        guarded.shares().adopt(DEAD);
        (1..=last).for_each(|slot| guarded.shares().adopt(holder(slot)));
        Arc::new(guarded)
    }

    fn shares(&self) -> Shares<'_> {
        let owner = OwnerWord::lock(&self.owner);
        Shares { owner, used: &self.used, words: &self.shares }
    }

    fn take(&self, me: ParticipantId, liveness: &impl Liveness) {
        let spin = Spin::default();
        let taken = self.shares().owner.acquire(me, Mode::Draining, liveness, &spin, Until::Ever);
        taken.unwrap();
        self.shares().drain(me, liveness, &Habit::default(), Until::Ever).unwrap();
    }

    fn write(&self, slot: u32, liveness: &impl Liveness) {
        self.take(holder(slot), liveness);
        // SAFETY: nobody else has the lock, or loom reports it.
        self.value.with_mut(|value| unsafe { *value += 1 });
        assert!(self.shares().owner.release(holder(slot)));
    }

    fn share(&self, slot: u32, liveness: &impl Liveness) -> bool {
        let me = holder(slot);
        let shared = self
            .shares()
            .try_share(me)
            .or_else(|_| self.shares().share_slowly(me, liveness, &Spin::default(), Until::Ever));
        shared.unwrap().is_inconsistent()
    }

    fn read(&self, slot: u32, liveness: &impl Liveness) -> u32 {
        self.share(slot, liveness);
        // SAFETY: nobody changes it, or loom reports it.
        let seen = self.value.with(|value| unsafe { *value });
        self.shares().unshare(holder(slot));
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
fn loom_nobody_reads_while_another_writes_and_nobody_sleeps_for_ever() {
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
fn loom_an_upgrade_lets_no_writer_in_between() {
    check(Some(2), || {
        let guarded = Guarded::new(2);
        let me = holder(1);
        let upgrading = thread::spawn({
            let guarded = guarded.clone();
            move || {
                let owner = guarded.shares().owner;
                let spin = Spin::default();
                owner.acquire(me, Mode::Upgradable, &NOBODY_DIED, &spin, Until::Ever).unwrap();
                // SAFETY: nobody writes, or loom reports it.
                let seen = guarded.value.with(|value| unsafe { *value });
                assert!(owner.change_mode(me, Mode::Draining));
                let habit = Habit::default();
                guarded.shares().drain(me, &NOBODY_DIED, &habit, Until::Ever).unwrap();
                guarded.value.with_mut(|value| {
                    // SAFETY: nobody else has the lock, or loom reports it.
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
fn loom_a_dead_reader_keeps_no_writer_out() {
    check(Some(2), || {
        let guarded = Guarded::new(2);
        assert!(ends_at("rwlock: shared, owner not yet seen", || {
            let _ = guarded.shares().try_share(DEAD);
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
fn loom_a_reader_who_dies_before_waking_the_writer_only_delays_it() {
    check(Some(2), || {
        let guarded = Guarded::new(1);
        let writing = thread::spawn({
            let guarded = guarded.clone();
            move || guarded.write(1, &NOBODY_DIED)
        });
        let share = || guarded.shares().try_share(DEAD).map(|_| guarded.shares().unshare(DEAD));
        if ends_at("rwlock: share given back, nobody woken", || drop(share())) {
            let_time_pass();
        }
        writing.join().unwrap();
    });
}

#[test]
fn loom_a_dead_writer_is_found_by_readers_and_leaves_a_mark() {
    check(Some(2), || {
        let guarded = Guarded::new(2);
        guarded.take(DEAD, &NOBODY_DIED);
        let sharing = thread::spawn({
            let guarded = guarded.clone();
            move || {
                let marked = guarded.share(1, &DeadIs(Some(DEAD)));
                guarded.shares().unshare(holder(1));
                marked
            }
        });
        let_time_pass();
        guarded.write(2, &DeadIs(Some(DEAD)));
        assert!(sharing.join().unwrap());
    });
}
