//! Every operation of the primitives on any file, which also changes while it is open. Each returns
//! within its timeout, without a panic or a fault. For the form of the input see the crate.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use shmkit::sync::{
    AnyLock, Barrier, BoundedSemaphore, Condvar, Event, Guard, Latch, LockResult, Mutex, Once,
    Permits, ReentrantMutex, Reset, RwLock, Semaphore,
};
use shmkit::{Maybe, Object, Options, Result};
use shmkit_fuzz::{NAME, Template, inspect_all};

type Locks = (Mutex<Maybe<u32>>, ReentrantMutex<u64>, RwLock<[bool; 200]>, Condvar);
type Others = (Semaphore, BoundedSemaphore, [Event; 2], Barrier, Latch, Once);
type All = (Locks, Others);

/// No operation waits.
const AT_ONCE: Duration = Duration::ZERO;

fn options(directory: &Path) -> Options<All> {
    Object::<All>::options().directory(directory).max_participants(3)
}

fn create(directory: &Path) {
    let locks = (Maybe::from(Some(7)), 8, [true; 200], ());
    let others = (2, Permits { initial: 1, max: 3 }, [Reset::Manual, Reset::Automatic], 2, 2, ());
    options(directory).create(NAME, (locks, others)).expect("an object can be created");
}

fuzz_target!(|input: &[u8]| {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| Template::new(create));
    let (directory, file) = (template.directory(), template.create_file(input));
    inspect_all(directory);
    let handles = [(); 2].map(|()| options(directory).open(NAME));
    let locks = ["0.0", "0.2", "1.0", ""];
    let locks = locks.map(|it| AnyLock::options().directory(directory).open_part(NAME, it));
    file.patch();
    for all in handles.iter().flatten() {
        let _ = use_locks(&all.0);
        use_others(&all.1);
    }
    locks.iter().flatten().for_each(use_any_lock);
    inspect_all(directory);
    drop((handles, locks));
    file.fix(directory);
    let _ = options(directory).remove(NAME);
});

/// The guard, if the lock was acquired: also one that a dead process left inconsistent.
fn guard_of<G: Guard>(answer: LockResult<G>) -> Option<G> {
    answer.map_or_else(|error| error.into_guard().ok(), Some)
}

fn use_locks((mutex, reentrant, rwlock, condvar): &Locks) -> Result<()> {
    drop(mutex.try_lock().map(|guard| guard.map(|guard| format!("{guard:?}"))));
    if let Some(mut guard) = guard_of(mutex.lock_timeout(AT_ONCE)) {
        *guard = Some(9).into();
        guard.mark_consistent();
        drop(condvar.wait_timeout(guard, AT_ONCE));
    }
    if let Some(mut guard) = guard_of(reentrant.lock_timeout(AT_ONCE)) {
        drop((reentrant.try_lock(), guard.get(), guard.depth()));
        guard.set(guard.get());
        guard.mark_consistent();
    }
    drop(rwlock.try_read().map(|guard| guard.map(|guard| format!("{guard:?}"))));
    drop(rwlock.try_write());
    if let Some(guard) = guard_of(rwlock.read_timeout(AT_ONCE)) {
        drop(guard.try_into_upgradable().map(|guard| guard.downgrade()));
    }
    if let Some(guard) = guard_of(rwlock.read_timeout(AT_ONCE)) {
        drop(guard.try_upgrade().map(|guard| guard.downgrade()));
    }
    if let Some(guard) = guard_of(rwlock.upgradable_read_timeout(AT_ONCE)) {
        drop(guard.upgrade_timeout(AT_ONCE).map(|guard| guard.downgrade()));
    }
    if let Some(mut guard) = guard_of(rwlock.write_timeout(AT_ONCE)) {
        guard.mark_consistent();
        drop(guard.downgrade_to_upgradable());
    }
    condvar.notify_one()?;
    condvar.notify_all()
}

/// Uses a lock as a process does that does not know its type.
fn use_any_lock(lock: &AnyLock) {
    if let Some(mut guard) = guard_of(lock.exclusive_timeout(AT_ONCE)) {
        let value = guard.get();
        let _ = lock.schema().map(|schema| schema.zeroed().map(|zeros| guard.set(&zeros)));
        let _ = value.map(|value| guard.set(&value));
        guard.mark_consistent();
    }
    drop(guard_of(lock.shared_timeout(AT_ONCE)).map(|guard| guard.get()));
    drop((lock.try_exclusive(), lock.try_shared()));
}

fn use_semaphore(semaphore: &Semaphore) {
    if let Ok(permit) = semaphore.acquire_timeout(AT_ONCE) {
        permit.forget();
    }
    drop((semaphore.try_acquire(), semaphore.post(1), semaphore.try_consume()));
    let _ = (semaphore.available(), semaphore.max_permits(), semaphore.post(u32::MAX));
    let _ = (semaphore.consume_timeout(AT_ONCE), semaphore.post(1));
}

fn use_others((semaphore, bounded, events, barrier, latch, once): &Others) {
    use_semaphore(semaphore);
    use_semaphore(bounded);
    for event in events {
        let _ = (event.is_set(), event.wait_timeout(AT_ONCE), event.set(), event.try_wait());
        let _ = event.reset();
    }
    for mut party in [(); 3].map(|()| barrier.join()).into_iter().flatten() {
        let _ = (party.wait_timeout(AT_ONCE), party.wait_timeout(AT_ONCE));
    }
    let _ = (barrier.abort(), barrier.is_aborted(), barrier.waiting(), barrier.parties());
    drop(barrier.join().map(|mut party| party.wait_timeout(AT_ONCE)));
    let _ = (barrier.reset(), barrier.is_aborted());
    drop(barrier.join().map(|mut party| party.wait_timeout(AT_ONCE)));
    let _ = latch.join().map(|party| party.count_down());
    let _ = (latch.try_wait(), latch.wait_timeout(AT_ONCE));
    let _ = once.call_once_timeout(|| (), AT_ONCE);
    once.is_completed();
}
