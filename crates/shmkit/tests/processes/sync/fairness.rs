//! Nobody waits for ever, whatever the others do.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shmkit::sync::named::Named;

use super::stage::{NAME, Plant, SOON, Stage, told};
use crate::children::{Child, Link};

/// So often one gets it that others take again and again without a pause, and so has to wait.
const TIMES: u64 = 1_000;
/// In so many parts.
const BATCHES: usize = 5;
/// So often others may get it for each time on average: a waiter has the turn after 1 ms, in which
/// it is seldom had more than ten times.
const OTHERS: u64 = 50;
/// How long it is kept: longer than it takes to wake one who waits, who thus comes too late unless
/// it is left to him.
const LINGERS: u32 = 5_000;
/// Several slices of 50 ms: who waits for so long asks for a turn.
const SLICES: Duration = Duration::from_millis(200);

/// Takes what its task says, and gives it back, without a pause.
pub(crate) fn greedy(link: &mut Link) {
    let plant = Named::<Plant>::open(NAME).unwrap();
    let (mutex, rwlock, semaphore, .., (_, _, count)) = &*plant;
    let task = link.task();
    let take = || match task.as_str() {
        "lock" => linger(mutex.lock().unwrap()),
        "write" => linger(rwlock.write().unwrap()),
        "read" => linger(rwlock.read().unwrap()),
        "upgrade" => linger(rwlock.upgradable_read().unwrap().upgrade().unwrap()),
        "acquire" => linger(semaphore.acquire().unwrap()),
        other => panic!("{other}"),
    };
    take();
    link.say("begun");
    loop {
        take();
        let mut count = count.lock().unwrap();
        count.set(count.get() + 1);
    }
}

/// Keeps it for so long that it is seldom free.
fn linger<G>(guard: G) {
    for _ in 0..LINGERS {
        std::hint::spin_loop();
    }
    drop(guard);
}

/// Gets it as often as promised where it has to wait, while the children take what they are told
/// to.
fn gets_it(tasks: [&str; 2], attempt: fn(&Stage) -> bool, get: fn(&Stage)) {
    // One at a time, to have the processors.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let stage = Stage::new(1, 1);
    let mut children = tasks.map(|task| Child::start(&stage.place, "greedy", task));
    for child in &mut children {
        assert_eq!(child.hear(), "begun");
    }
    let count = || stage.reentrant().lock().unwrap().get();
    let batches = [(); BATCHES].map(|()| {
        (0..TIMES / BATCHES as u64).map(|_| {
            while attempt(&stage) {
                std::thread::yield_now();
            }
            let before = count();
            get(&stage);
            count() - before
        })
    });
    let others = batches.map(|batch| batch.sum::<u64>());
    println!("{tasks:?}: {others:?} times others for each {} times this", TIMES / BATCHES as u64);
    // What else goes on on the machine may spoil some.
    let best = *others.iter().min().unwrap();
    assert!(best < OTHERS * TIMES / BATCHES as u64, "{others:?} times others");
    for child in &mut children {
        // It took it until now.
        child.kill();
    }
}

#[test]
fn a_third_gets_a_mutex_that_two_take_without_a_pause() {
    let attempt = |stage: &Stage| stage.mutex().try_lock().unwrap().is_some();
    gets_it(["lock"; 2], attempt, |stage| drop(stage.mutex().lock_timeout(SOON).unwrap()));
}

#[test]
fn a_reader_gets_a_lock_that_two_write_without_a_pause() {
    let attempt = |stage: &Stage| stage.rwlock().try_read().unwrap().is_some();
    gets_it(["write"; 2], attempt, |stage| drop(stage.rwlock().read_timeout(SOON).unwrap()));
}

fn try_write(stage: &Stage) -> bool {
    stage.rwlock().try_write().unwrap().is_some()
}

fn write(stage: &Stage) {
    drop(stage.rwlock().write_timeout(SOON).unwrap());
}

#[test]
fn a_writer_gets_a_lock_that_two_read_without_a_pause() {
    gets_it(["read"; 2], try_write, write);
}

#[test]
fn a_writer_gets_a_lock_that_two_write_without_a_pause() {
    gets_it(["write"; 2], try_write, write);
}

#[test]
fn a_writer_gets_a_lock_that_one_reads_and_one_writes_without_a_pause() {
    gets_it(["read", "write"], try_write, write);
}

#[test]
fn an_upgrader_gets_a_lock_that_one_reads_and_one_upgrades_without_a_pause() {
    let attempt = |stage: &Stage| stage.rwlock().try_upgradable_read().unwrap().is_some();
    gets_it(["read", "upgrade"], attempt, |stage| {
        let guard = stage.rwlock().upgradable_read_timeout(SOON).unwrap();
        drop(guard.upgrade_timeout(SOON).unwrap());
    });
}

#[test]
fn a_third_gets_a_permit_that_two_take_without_a_pause() {
    let attempt = |stage: &Stage| stage.semaphore().try_acquire().unwrap().is_some();
    gets_it(["acquire"; 2], attempt, |stage| {
        drop(stage.semaphore().acquire_timeout(SOON).unwrap());
    });
}

#[test]
fn one_killed_while_it_waited_for_its_turn_holds_nobody_up() {
    const TIMES: u64 = 20;
    let stage = Stage::new(0, 1);
    let [mut dying, mut living] = [stage.actor(), stage.actor()];
    dying.say("acquire");
    stage.until_threads_wait(1);
    stage.event().wait_timeout(SLICES).unwrap_err();
    dying.kill();
    stage.semaphore().post(1).unwrap();
    let before = living.ask("late-finds").parse::<u64>().unwrap();
    for _ in 0..TIMES {
        told(&mut living, "acquire, drop");
    }
    let late = living.ask("late-finds").parse::<u64>().unwrap() - before;
    assert!(late < TIMES / 2, "{late} of {TIMES} permits were left to the dead one for a slice");
}
