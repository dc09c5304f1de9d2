//! Every operation of the primitives on any file, which also changes while it is open. Each returns
//! within its timeout, without a panic or a fault. For the form of the input see the crate.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use shmkit::sync::{
    Barrier, Condvar, Event, Latch, Mutex, Once, ReentrantMutex, Reset, RwLock, Semaphore,
};
use shmkit::{Maybe, Result};
use shmkit::{Object, Options};
use shmkit_fuzz::{NAME, Template, inspect_all};

type Locks = (Mutex<Maybe<u32>>, ReentrantMutex<u64>, RwLock<[bool; 200]>, Condvar);
type All = (Locks, (Semaphore, [Event; 2], Barrier, Latch, Once));

/// No operation waits.
const AT_ONCE: Duration = Duration::ZERO;

fn options(directory: &Path) -> Options<All> {
    Object::<All>::options().directory(directory).max_participants(3)
}

fn create(directory: &Path) {
    let locks = (Maybe::from(Some(7)), 8, [true; 200], ());
    let others = (2, [Reset::Manual, Reset::Automatic], 2, 2, ());
    options(directory).create(NAME, (locks, others)).expect("an object can be created");
}

fuzz_target!(|input: &[u8]| {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| Template::new(create));
    let (directory, file) = (template.directory(), template.create_file(input));
    inspect_all(directory);
    let handles = [(); 2].map(|()| options(directory).open(NAME));
    file.patch();
    for all in handles.iter().flatten() {
        let _ = use_locks(&all.0);
        use_others(all);
    }
    inspect_all(directory);
    drop(handles);
    file.fix(directory);
    let _ = options(directory).remove(NAME);
});

fn use_locks((mutex, reentrant, rwlock, condvar): &Locks) -> Result<()> {
    drop(mutex.try_lock().map(|guard| guard.map(|guard| format!("{guard:?}"))));
    if let Ok(mut guard) = mutex.lock_timeout(AT_ONCE) {
        *guard = Some(9).into();
        guard.mark_consistent();
        drop(condvar.wait_timeout(guard, AT_ONCE));
    }
    if let Ok(guard) = reentrant.lock_timeout(AT_ONCE) {
        drop((reentrant.try_lock(), guard.get()));
    }
    drop(rwlock.try_read().map(|guard| guard.map(|guard| format!("{guard:?}"))));
    drop(rwlock.try_write());
    if let Ok(guard) = rwlock.upgradable_read_timeout(AT_ONCE) {
        drop(guard.upgrade_timeout(AT_ONCE).map(|guard| guard.downgrade()));
    }
    drop(rwlock.write_timeout(AT_ONCE).map(|guard| guard.downgrade_to_upgradable()));
    condvar.notify_one()?;
    condvar.notify_all()
}

fn use_others(all: &All) {
    let (semaphore, events, barrier, latch, once) = &all.1;
    if let Ok(permit) = semaphore.acquire_timeout(AT_ONCE) {
        permit.forget();
    }
    drop((semaphore.try_acquire(), semaphore.post(1), semaphore.try_consume()));
    semaphore.available();
    for event in events {
        let _ = (event.is_set(), event.wait_timeout(AT_ONCE), event.set(), event.try_wait());
        let _ = event.reset();
    }
    if let Ok(mut party) = barrier.join() {
        let _ = (party.wait_timeout(AT_ONCE), party.wait_timeout(AT_ONCE));
    }
    let _ = latch.join().map(|party| party.count_down());
    let _ = (latch.try_wait(), latch.wait_timeout(AT_ONCE));
    let _ = once.call_once_timeout(|| (), AT_ONCE);
    once.is_completed();
}
