//! What a killed holder held, and what those get that wait for it.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::{hint, mem};

use shmkit::sync::{
    Barrier, Condvar, FileLock, Latch, Mutex as RawMutex, MutexGuard, Once, ReentrantGuard,
    ReentrantMutex,
};
use shmkit::{ErrorKind, Latest, Object, Result};

use super::primitives::{Mutex, NO_DEATH, RwLock, Semaphores, open, taken_over};
use crate::harness::worker::{Worker, Workload};
use crate::objects;
use crate::workloads::takeover::{MAX_KILLS, hold_or_wait};

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("takeover/shmkit", take_over_mutex),
    Workload::process("takeover-reentrant/shmkit", take_over_reentrant),
    Workload::process("takeover-write/shmkit", write_after_writer),
    Workload::process("takeover-read/shmkit", read_after_writer),
    Workload::process("takeover-drained/shmkit", write_after_reader),
    Workload::process("takeover-upgradable/shmkit", take_over_upgradable),
    Workload::process("takeover-permit/shmkit", take_over_permit),
    Workload::process("takeover-party/shmkit", lose_party_of_barrier),
    Workload::process("takeover-latch/shmkit", lose_party_of_latch),
    Workload::process("takeover-condition/shmkit", inherit_notification),
    Workload::process("takeover-once/shmkit", take_over_action),
    Workload::process("takeover-writer/shmkit", lose_writer),
    Workload::process("takeover/file-lock", spin_on_file_lock),
];

fn take_over_mutex(worker: &Worker) {
    let mutex = Mutex::open(worker);
    hold_or_wait(worker, || mutex.take_over(), || drop(mutex.take_over()));
}

/// The lower bound for every waiter for the lock of a file: the kernel frees the memory of a killed
/// process before it closes its files.
fn spin_on_file_lock(worker: &Worker) {
    let path = worker.arena().directory().join(worker.object_name());
    let open = || FileLock::open_or_create(&path).expect("the directory is the arena's");
    let hold = || {
        let mut lock = open();
        mem::forget(lock.lock().expect(NO_DEATH));
        lock
    };
    let wait = || {
        let mut lock = open();
        while lock.try_lock().expect(NO_DEATH).is_none() {
            hint::spin_loop();
        }
    };
    hold_or_wait(worker, hold, wait);
}

fn take_over_reentrant(worker: &Worker) {
    let mutex: Object<ReentrantMutex<u64>> = open(worker, 0);
    let take_over = || taken_over(mutex.lock(), ReentrantGuard::mark_consistent);
    hold_or_wait(worker, take_over, || drop(take_over()));
}

fn write_after_writer(worker: &Worker) {
    let lock = RwLock::open(worker);
    hold_or_wait(worker, || lock.take_over(), || drop(lock.take_over()));
}

/// The lock stays inconsistent until the next holder.
fn read_after_writer(worker: &Worker) {
    let lock = RwLock::open(worker);
    hold_or_wait(worker, || lock.take_over(), || drop(taken_over(lock.0.read(), |_| ())));
}

fn write_after_reader(worker: &Worker) {
    let lock = RwLock::open(worker);
    hold_or_wait(worker, || lock.0.read().expect(NO_WRITER), || drop(lock.take_over()));
}

fn take_over_upgradable(worker: &Worker) {
    let lock = RwLock::open(worker).0;
    let acquire = || lock.upgradable_read().expect(NO_WRITER);
    hold_or_wait(worker, acquire, || drop(acquire()));
}

const NO_WRITER: &str = "no writer dies";

fn take_over_permit(worker: &Worker) {
    let permits = Semaphores::open(worker, 1);
    hold_or_wait(worker, || permits.acquire(), || drop(permits.acquire()));
}

/// All workers are parties, and the holder does not arrive.
fn lose_party_of_barrier(worker: &Worker) {
    let barrier: Object<Barrier> = open(worker, worker.argument() as u32);
    let join = || barrier.join().expect("a dead party has left its place");
    hold_or_wait(worker, join, || assert_peer_died(join().wait()));
}

/// The holder is the only party.
fn lose_party_of_latch(worker: &Worker) {
    let latch: Object<Latch> = open(worker, 1);
    let join = || latch.join().expect("a dead party has left its place");
    hold_or_wait(worker, join, || assert_peer_died(latch.wait()));
}

/// The holder is notified, but cannot acquire its lock, which is another one than that of the
/// waiters. The waiter that gets the notification of the dead holder notifies the next one.
fn inherit_notification(worker: &Worker) {
    let object: Object<(RawMutex<u64>, RawMutex<u64>, Condvar)> = open(worker, (0, 0, ()));
    let object: &'static _ = Box::leak(Box::new(object));
    let (lock_of_waiters, lock_of_holder, condition) = &**object;
    let lock = || taken_over(lock_of_holder.lock(), MutexGuard::mark_consistent);
    let hold = || {
        let (sender, locked) = mpsc::channel();
        thread::spawn(move || {
            let guard = lock();
            sender.send(()).expect("the holder waits for it");
            condition.wait(guard)
        });
        locked.recv().expect("the thread acquires the lock");
        // The thread releases it when it waits.
        let guard = lock();
        condition.notify_one().expect(NO_DEATH);
        guard
    };
    let wait = || {
        let guard = lock_of_waiters.lock().expect(NO_DEATH);
        drop(condition.wait(guard).expect(NO_DEATH));
        condition.notify_one().expect(NO_DEATH);
    };
    hold_or_wait(worker, hold, wait);
}

/// The holder runs an action that does not end, each time of another `Once`.
fn take_over_action(worker: &Worker) {
    let actions: Object<[Once; MAX_KILLS]> = open(worker, [(); MAX_KILLS]);
    let actions: &'static Object<_> = Box::leak(Box::new(actions));
    let shared = worker.shared();
    let next: &AtomicU64 = shared.word(0);
    if shared.create {
        next.store(0, Ordering::Relaxed);
    }
    let hold = || {
        let action = &actions[next.fetch_add(1, Ordering::Relaxed) as usize];
        let (sender, running) = mpsc::channel();
        thread::spawn(move || {
            action.call_once(|| {
                sender.send(()).expect("the holder waits for it");
                loop {
                    thread::park();
                }
            })
        });
        running.recv().expect("the thread runs the action");
    };
    let wait = || {
        let action = &actions[next.load(Ordering::Relaxed) as usize - 1];
        action.call_once(|| ()).expect(NO_DEATH);
    };
    hold_or_wait(worker, hold, wait);
}

/// The holder is the writer of a `Latest`. The waiters wait for its next value.
fn lose_writer(worker: &Worker) {
    let latest: Latest<[u64; 1]> =
        objects::latest(worker.arena().directory(), &worker.object_name());
    let changes = RefCell::new(latest.changes());
    let hold = || {
        let mut writer = latest.writer().expect("the last writer is dead");
        writer.set(&[1]).expect("a sole writer");
        writer
    };
    let wait = || {
        let mut changes = changes.borrow_mut();
        let lost = std::iter::repeat_with(|| changes.next()).find(Result::is_err);
        assert_peer_died(lost.expect("the writer dies"));
    };
    hold_or_wait(worker, hold, wait);
}

fn assert_peer_died<T>(result: Result<T>) {
    assert_eq!(result.err().map(|error| error.kind()), Some(ErrorKind::PeerDied));
}
