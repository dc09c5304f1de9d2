//! Nobody waits for ever, whatever the others do.

use std::time::Duration;

use shmkit::sync::named::Named;

use super::stage::{NAME, Plant, Stage, told};
use crate::children::{Child, Link};

/// So often one gets it that others take again and again without a pause.
const TIMES: u32 = 1_000;
/// Several slices of 50 ms: who waits for so long asks for a turn.
const SLICES: Duration = Duration::from_millis(200);

/// Takes what its task says, and gives it back, without a pause.
pub(crate) fn greedy(link: &mut Link) {
    let plant = Named::<Plant>::open(NAME).unwrap();
    let (mutex, rwlock, semaphore, ..) = &*plant;
    let task = link.task();
    let take = || match task.as_str() {
        "lock" => *mutex.lock().unwrap() += 1,
        "write" => *rwlock.write().unwrap() += 1,
        "read" => assert!(*rwlock.read().unwrap() < u64::MAX),
        "upgrade" => *rwlock.upgradable_read().unwrap().upgrade().unwrap() += 1,
        "acquire" => drop(semaphore.acquire().unwrap()),
        other => panic!("{other}"),
    };
    take();
    link.say("begun");
    loop {
        take();
    }
}

/// Gets it as often as promised, while the children take what they are told to.
fn gets_it(stage: &Stage, tasks: [&str; 2], get: impl Fn(&Stage)) {
    let mut children = tasks.map(|task| Child::start(&stage.place, "greedy", task));
    for child in &mut children {
        assert_eq!(child.hear(), "begun");
    }
    for _ in 0..TIMES {
        get(stage);
    }
    for child in &mut children {
        // It took it until now.
        child.kill();
    }
}

#[test]
fn a_third_gets_a_mutex_that_two_take_without_a_pause() {
    gets_it(&Stage::new(0, 1), ["lock"; 2], |stage| *stage.mutex().lock().unwrap() += 1);
}

#[test]
fn a_reader_gets_a_lock_that_two_write_without_a_pause() {
    gets_it(&Stage::new(0, 1), ["write"; 2], |stage| drop(stage.rwlock().read().unwrap()));
}

#[test]
fn a_writer_gets_a_lock_that_two_read_without_a_pause() {
    gets_it(&Stage::new(0, 1), ["read"; 2], |stage| *stage.rwlock().write().unwrap() += 1);
}

#[test]
fn an_upgrader_gets_a_lock_that_two_upgrade_without_a_pause() {
    gets_it(&Stage::new(0, 1), ["upgrade"; 2], |stage| {
        *stage.rwlock().upgradable_read().unwrap().upgrade().unwrap() += 1;
    });
}

#[test]
fn a_writer_gets_a_lock_that_one_reads_and_one_writes_without_a_pause() {
    gets_it(&Stage::new(0, 1), ["read", "write"], |stage| *stage.rwlock().write().unwrap() += 1);
}

#[test]
fn a_third_gets_a_permit_that_two_take_without_a_pause() {
    gets_it(&Stage::new(1, 1), ["acquire"; 2], |stage| drop(stage.semaphore().acquire().unwrap()));
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
