//! Waiting for a condition under loom, together with a lock.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::crash::ends_at;
use crate::participant::models::{DEAD, DeadIs, NOBODY_DIED, living};
use crate::participant::owner::{Mode, OwnerWord};
use crate::sys::wait::model::{check, let_time_pass};

/// A lock, its guarded value, and a condition for "the value is not 0".
struct Jobs {
    lock: AtomicU64,
    count: AtomicU64,
    state: AtomicU64,
    turn: AtomicU64,
    bits: [AtomicU64; 1],
    records: Vec<AtomicU64>,
}

impl Jobs {
    fn new() -> Arc<Self> {
        let new = || AtomicU64::new(0);
        let records = (0..RECORDS).map(|_| new()).collect();
        Arc::new(Self {
            lock: new(),
            count: new(),
            state: new(),
            turn: new(),
            bits: [new()],
            records,
        })
    }

    fn waiters(&self) -> Waiters<'_> {
        Waiters { state: &self.state, turn: &self.turn, bits: &self.bits, records: &self.records }
    }

    fn lock(&self, me: ParticipantId) {
        let (owner, wait_loop) = (OwnerWord::of_lock(&self.lock), WaitLoop::for_answer(0));
        owner.acquire(me, Mode::Exclusive, &NOBODY_DIED, &wait_loop, Until::Ever).unwrap();
    }

    fn unlock(&self, me: ParticipantId) {
        assert!(OwnerWord::of_lock(&self.lock).release(me));
    }

    /// Waits until there is a job, and takes it.
    fn take(&self, me: ParticipantId, liveness: &impl Liveness) {
        self.lock(me);
        while self.count.load(Ordering::Relaxed) == 0 {
            let index = self.waiters().register(me, liveness).unwrap();
            self.unlock(me);
            let ended =
                self.waiters().wait(index, me, liveness, &WaitLoop::for_answer(0), Until::Ever);
            assert!(ended.is_notified());
            self.lock(me);
            self.waiters().leave(index, me);
            self.waiters().wake_notified(index + 1);
        }
        self.count.store(self.count.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        self.unlock(me);
    }

    /// Adds `jobs` jobs.
    fn put(&self, me: ParticipantId, jobs: u64, notify: impl FnOnce(Waiters<'_>)) {
        self.lock(me);
        self.count.store(self.count.load(Ordering::Relaxed) + jobs, Ordering::Relaxed);
        self.unlock(me);
        notify(self.waiters());
    }
}

fn one_waits_and_one_notifies() {
    let jobs = Jobs::new();
    let waiting = thread::spawn({
        let jobs = jobs.clone();
        move || jobs.take(living(1), &NOBODY_DIED)
    });
    jobs.put(living(2), 1, |it| it.notify_one());
    waiting.join().unwrap();
    assert_eq!(jobs.waiters().count(), (0, 0));
    assert_eq!(jobs.bits[0].load(Ordering::Relaxed), 0);
}

#[test]
fn loom_a_waiter_is_notified() {
    check(Some(3), one_waits_and_one_notifies);
}

#[test]
fn loom_each_notification_is_for_one_waiter() {
    check(Some(1), || {
        let jobs = Jobs::new();
        let waiting = [1, 2].map(|slot| {
            let jobs = jobs.clone();
            thread::spawn(move || jobs.take(living(slot), &NOBODY_DIED))
        });
        jobs.put(living(3), 1, |it| it.notify_one());
        jobs.put(living(3), 1, |it| it.notify_one());
        waiting.map(|waiting| waiting.join().unwrap());
    });
}

#[test]
fn loom_all_are_notified_and_each_wakes_the_next() {
    check(Some(1), || {
        let jobs = Jobs::new();
        let waiting = [1, 2].map(|slot| {
            let jobs = jobs.clone();
            thread::spawn(move || jobs.take(living(slot), &NOBODY_DIED))
        });
        jobs.put(living(3), 2, |it| it.notify_all());
        waiting.map(|waiting| waiting.join().unwrap());
    });
}

#[test]
fn loom_a_notification_of_a_dead_waiter_goes_to_another() {
    check(Some(2), || {
        let jobs = Jobs::new();
        // It died while it waited, before the other waiter began to wait.
        jobs.waiters().register(DEAD, &NOBODY_DIED).unwrap();
        let waiting = thread::spawn({
            let jobs = jobs.clone();
            move || jobs.take(living(1), &DeadIs(Some(DEAD)))
        });
        // Notifies one of the two: a notifier does not check which of them is alive.
        jobs.put(living(2), 1, |it| it.notify_one());
        let_time_pass();
        waiting.join().unwrap();
    });
}

#[test]
fn loom_a_notification_of_a_dead_waiter_is_taken_over_and_its_record_freed() {
    check(Some(2), || {
        let jobs = Jobs::new();
        jobs.waiters().register(DEAD, &NOBODY_DIED).unwrap();
        jobs.waiters().notify_one();
        let inheriting = [1, 2].map(|slot| {
            let jobs = jobs.clone();
            thread::spawn(move || {
                let (me, waiters) = (living(slot), jobs.waiters());
                let index = waiters.register(me, &NOBODY_DIED).unwrap();
                let inherited = waiters.inherit(index, me, &DeadIs(Some(DEAD)));
                let _ = waiters.give_up(index, me);
                waiters.leave(index, me);
                inherited
            })
        });
        let inherited = inheriting.map(|it| it.join().unwrap());
        assert!(inherited[0] || inherited[1]);
        assert_eq!(jobs.waiters().count(), (0, 0));
    });
}

#[test]
fn loom_a_record_that_a_dead_waiter_was_leaving_is_freed_once() {
    check(Some(3), || {
        let jobs = Jobs::new();
        let index = jobs.waiters().register(DEAD, &NOBODY_DIED).unwrap();
        assert!(jobs.waiters().give_up(index, DEAD));
        assert!(ends_at("condvar: leaving", || jobs.waiters().leave(index, DEAD)));
        let making_room = thread::spawn({
            let jobs = jobs.clone();
            move || jobs.waiters().make_room(living(1), &DeadIs(Some(DEAD)))
        });
        let record = jobs.waiters().load(index);
        if record & STATE == LEAVING {
            jobs.waiters().take_out(index, record, living(2));
        }
        let _ = jobs.waiters().register(living(2), &DeadIs(Some(DEAD))).unwrap();
        let _ = making_room.join().unwrap();
        // Every registered waiter has its bit set.
        assert_eq!(jobs.waiters().marked(0).count(), 1);
    });
}
