//! Deaths of waiters of a condition variable, and of the threads that notify them.

use std::thread;

use shmkit::sync::{Condvar, Mutex, MutexGuard};

use super::{Case, NAME, Operation, ROUNDS_AFTER, WAITERS_NOT_WOKEN, case};
use crate::flag::Flag;
use crate::sync::guarded::{Buffer, guard_and_death};
use crate::test_dir::{TestDir, open};
use crate::times::TIMEOUT;

/// The second condition variable is notified when the buffer was filled, the first when it was
/// emptied.
type Shared = (Mutex<Buffer>, [Condvar; 2]);

pub(super) const CASES: &[Case] = &[
    case("take", "condvar: registered, not yet seen", 1),
    case("take", "condvar: waiting", 0),
    case("take", "condvar: notified, lock not yet taken", 0),
    case("take", "condvar: leaving", 1),
    case("take", WAITERS_NOT_WOKEN, 0),
    case("put", "condvar: notified, nobody woken", 1),
    case("put", "condvar: notified, lock not yet taken", 0),
    case("put and notify all", "condvar: notified, nobody woken", 1),
];

pub(super) const OPERATIONS: &[Operation] = &[
    ("take", |_| repeat(|shared| _ = take(shared, &mut 0))),
    ("put", |_| repeat(|shared| put(shared, Condvar::notify_one, &mut 0))),
    ("put and notify all", |_| repeat(|shared| put(shared, Condvar::notify_all, &mut 0))),
];

fn repeat(operation: fn(&Shared)) {
    let shared = open::<Shared>(NAME);
    loop {
        operation(&shared);
    }
}

/// Waits until the buffer is full or empty. A holder that dies has changed nothing in it.
fn lock_when<'a>(shared: &'a Shared, full: bool, deaths: &mut u32) -> MutexGuard<'a, Buffer> {
    let mut repair = |(mut buffer, owner_died): (MutexGuard<'a, Buffer>, bool)| {
        if owner_died {
            buffer.mark_consistent();
            // In place of the notification that the dead process has not sent.
            shared.1.iter().for_each(|condvar| condvar.notify_all().unwrap());
            *deaths += 1;
        }
        buffer.assert_whole();
        buffer
    };
    let mut buffer = repair(guard_and_death(shared.0.lock_timeout(TIMEOUT)));
    while (buffer.full == 1) != full {
        let (guard, owner_died) = match shared.1[usize::from(full)].wait_timeout(buffer, TIMEOUT) {
            Ok((guard, result)) => {
                assert!(!result.timed_out(), "a notification was lost");
                (guard, false)
            }
            Err(error) => {
                let (guard, result) = error.into_guard().unwrap();
                assert!(!result.timed_out(), "the timeout expired before the death was reported");
                (guard, true)
            }
        };
        buffer = repair((guard, owner_died));
    }
    buffer
}

/// Returns whether the item was the last one.
fn take(shared: &Shared, deaths: &mut u32) -> bool {
    let mut buffer = lock_when(shared, true, deaths);
    (buffer.full, buffer.taken) = (0, buffer.taken + 1);
    // Before the lock is released: a process that dies before it notifies dies as the owner.
    shared.1[0].notify_one().unwrap();
    buffer.is_last
}

fn put(shared: &Shared, notify: fn(&Condvar) -> shmkit::Result<()>, deaths: &mut u32) {
    let _guard = fill(shared, deaths, false);
    notify(&shared.1[1]).unwrap();
}

fn fill<'a>(shared: &'a Shared, deaths: &mut u32, is_last: bool) -> MutexGuard<'a, Buffer> {
    let mut buffer = lock_when(shared, false, deaths);
    (buffer.full, buffer.put, buffer.is_last) = (1, buffer.put + 1, is_last);
    buffer
}

#[test]
fn no_notification_to_or_from_a_dead_process_is_lost() {
    CASES.iter().for_each(check);
}

/// A producer and a consumer run while the child runs its operation, and after its death.
fn check(case: &Case) {
    let dir = TestDir::new();
    let [producer, consumer] = dir.handles::<Shared, 2>(NAME, Default::default());
    let dead = Flag::new();
    let deaths: u32 = thread::scope(|scope| {
        let producing = scope.spawn(|| {
            let mut deaths = 0;
            while !dead.is_set() {
                put(&producer, Condvar::notify_one, &mut deaths);
            }
            (0..ROUNDS_AFTER).for_each(|_| put(&producer, Condvar::notify_one, &mut deaths));
            let _guard = fill(&producer, &mut deaths, true);
            producer.1[1].notify_one().unwrap();
            deaths
        });
        let consuming = scope.spawn(|| {
            let mut deaths = 0;
            while !take(&consumer, &mut deaths) {}
            deaths
        });
        let set_dead = dead.set_on_drop();
        case.kill_child(&dir);
        drop(set_dead);
        producing.join().unwrap() + consuming.join().unwrap()
    });
    assert_eq!(deaths, case.deaths, "reported deaths: {case}");
}
