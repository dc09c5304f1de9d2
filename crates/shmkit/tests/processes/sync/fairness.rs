//! No waiter starves, whatever the others do.

use std::sync::{Mutex, PoisonError};

use shmkit::sync::LockError;

use super::fixture::{Fixture, NAME, Primitives, run};
use crate::children::{Child, Link};
use crate::test_dir::open;
use crate::times::{SLOW_CHECKS, TIMEOUT};

/// How many times the tested thread acquires what others acquire without a pause.
const TIMES: u64 = 1_000;
/// The acquisitions are counted in this many batches.
const BATCHES: usize = 5;
/// How many times the others may acquire for each acquisition of the tested thread, on average: each
/// of the two has a run of 1 ms or more first, in which there are some ten acquisitions.
const OTHERS: u64 = 50;
/// How many spins the others hold it: longer than it takes to wake a waiter, so that a woken waiter
/// comes too late unless it gets a handoff.
const HOLD_SPINS: u32 = 5_000;

/// Acquires and releases what its task says, without a pause.
pub(crate) fn greedy(link: &mut Link) {
    let primitives = open::<Primitives>(NAME);
    let (mutex, rwlock, semaphore, .., (_, _, count)) = &*primitives;
    let task = link.task();
    let acquire = || match task.as_str() {
        "lock" => hold(mutex.lock().or_else(LockError::into_guard).unwrap()),
        "try_lock" => hold(loop {
            if let Some(guard) = mutex.try_lock().or_else(LockError::into_guard).unwrap() {
                break guard;
            }
        }),
        "write" => hold(rwlock.write().or_else(LockError::into_guard).unwrap()),
        "read" => hold(rwlock.read().or_else(LockError::into_guard).unwrap()),
        "upgrade" => hold(rwlock.upgradable_read().unwrap().upgrade().unwrap()),
        "acquire" => hold(semaphore.acquire().unwrap()),
        other => panic!("{other}"),
    };
    acquire();
    link.send("ready");
    loop {
        acquire();
        let mut count = count.lock().unwrap();
        count.set(count.get() + 1);
    }
}

/// Holds a guard for so long that what it guards is seldom free.
fn hold<G>(guard: G) {
    for _ in 0..HOLD_SPINS {
        std::hint::spin_loop();
    }
    drop(guard);
}

/// Checks that `acquire` succeeds often enough when it has to wait, while the children run their
/// tasks.
fn assert_not_starved(tasks: [&str; 2], is_free: fn(&Fixture) -> bool, acquire: fn(&Fixture)) {
    // One test at a time, so that each has the processors for itself.
    static SERIAL: Mutex<()> = Mutex::new(());
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    let fixture = Fixture::new(1, 1);
    let mut children = tasks.map(|task| Child::start_ready(&fixture.dir, "greedy", task));
    let count = || fixture.reentrant().lock().unwrap().get();
    let batches = [(); BATCHES].map(|()| {
        (0..TIMES / BATCHES as u64).map(|_| {
            while is_free(&fixture) {
                std::thread::yield_now();
            }
            let before = count();
            acquire(&fixture);
            count() - before
        })
    });
    let others = batches.map(|batch| batch.sum::<u64>());
    let each = TIMES / BATCHES as u64;
    println!("{tasks:?}: acquisitions of the others for each {each} of this thread: {others:?}");
    // Other load on the machine may spoil some batches.
    let best = *others.iter().min().unwrap();
    assert!(best < OTHERS * each, "acquisitions of the others: {others:?}");
    for child in &mut children {
        // Fails if the child ended by itself, and so did not compete until here.
        child.kill();
    }
}

#[test]
fn a_mutex_locker_is_not_starved_by_two_others() {
    let is_free = |fixture: &Fixture| fixture.mutex().try_lock().unwrap().is_some();
    assert_not_starved(["lock"; 2], is_free, |fixture| {
        drop(fixture.mutex().lock_timeout(TIMEOUT).unwrap());
    });
}

#[test]
fn a_mutex_locker_is_not_starved_by_two_that_try() {
    let is_free = |fixture: &Fixture| fixture.mutex().try_lock().unwrap().is_some();
    assert_not_starved(["try_lock"; 2], is_free, |fixture| {
        drop(fixture.mutex().lock_timeout(TIMEOUT).unwrap());
    });
}

/// Waits for the mutex in several threads, whose waits time out again and again, and answers how
/// many of the sleeps ended by a wake.
pub(crate) fn impatient(link: &mut Link) {
    const THREADS: usize = 8;
    const WAITS: usize = 20;
    let primitives = open::<Primitives>(NAME);
    let mutex = &primitives.0;
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..WAITS {
                    let waited = mutex.lock_timeout(std::time::Duration::from_millis(5));
                    assert!(waited.is_err(), "the parent holds it");
                }
            });
        }
    });
    link.send(shmkit::crash::woken_sleeps());
    link.receive();
}

#[test]
fn a_timeout_wakes_no_other_waiter_while_the_lock_is_held() {
    let fixture = Fixture::new(1, 1);
    let _guard = fixture.mutex().lock().unwrap();
    let mut child = Child::start(&fixture.dir, "impatient", "");
    let woken: u64 = child.receive().parse().unwrap();
    // Besides death notices, of which there are few.
    assert!(woken < 40, "{woken} of 160 waits were woken by others that timed out");
}

#[test]
fn a_reader_is_not_starved_by_two_writers() {
    let is_free = |fixture: &Fixture| fixture.rwlock().try_read().unwrap().is_some();
    assert_not_starved(["write"; 2], is_free, |fixture| {
        drop(fixture.rwlock().read_timeout(TIMEOUT).unwrap());
    });
}

fn assert_writer_not_starved(tasks: [&str; 2]) {
    let is_free = |fixture: &Fixture| fixture.rwlock().try_write().unwrap().is_some();
    assert_not_starved(tasks, is_free, |fixture| {
        drop(fixture.rwlock().write_timeout(TIMEOUT).unwrap());
    });
}

#[test]
fn a_writer_is_not_starved_by_two_readers() {
    assert_writer_not_starved(["read"; 2]);
}

#[test]
fn a_writer_is_not_starved_by_two_writers() {
    assert_writer_not_starved(["write"; 2]);
}

#[test]
fn a_writer_is_not_starved_by_a_reader_and_a_writer() {
    assert_writer_not_starved(["read", "write"]);
}

#[test]
fn an_upgrader_is_not_starved_by_a_reader_and_an_upgrader() {
    let is_free = |fixture: &Fixture| fixture.rwlock().try_upgradable_read().unwrap().is_some();
    assert_not_starved(["read", "upgrade"], is_free, |fixture| {
        let guard = fixture.rwlock().upgradable_read_timeout(TIMEOUT).unwrap();
        drop(guard.upgrade_timeout(TIMEOUT).unwrap());
    });
}

#[test]
fn a_semaphore_acquirer_is_not_starved_by_two_others() {
    let is_free = |fixture: &Fixture| fixture.semaphore().try_acquire().unwrap().is_some();
    assert_not_starved(["acquire"; 2], is_free, |fixture| {
        drop(fixture.semaphore().acquire_timeout(TIMEOUT).unwrap());
    });
}

#[test]
fn a_waiter_killed_before_its_handoff_does_not_delay_later_acquirers() {
    const TIMES: u64 = 20;
    let fixture = Fixture::new(0, 1);
    let [mut dying, mut living] = [fixture.start_actor(), fixture.start_actor()];
    dying.send("acquire");
    fixture.wait_for_waiters(1);
    // Only passes time, in which the waiter asks for a handoff.
    fixture.event().wait_timeout(SLOW_CHECKS).unwrap_err();
    dying.kill();
    fixture.semaphore().post(1).unwrap();
    let before = living.ask("late_finds").parse::<u64>().unwrap();
    for _ in 0..TIMES {
        run(&mut living, "acquire, drop");
    }
    let late = living.ask("late_finds").parse::<u64>().unwrap() - before;
    assert!(late < TIMES / 2, "{late} of {TIMES} permits were reserved for the dead waiter");
}
