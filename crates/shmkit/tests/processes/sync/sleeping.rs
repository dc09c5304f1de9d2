//! A waiter sleeps: it uses little processor time.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::actor::Actor;
use super::fixture::{Fixture, run};
use crate::children::Link;

/// The least duration of each wait.
const WAIT: Duration = Duration::from_secs(1);

fn processor_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// Runs commands, and reports with each outcome how many milliseconds of processor time it took.
pub(crate) fn measured_actor(link: &mut Link) {
    let mut actor = Actor::open();
    link.send("ready");
    loop {
        let command = link.receive();
        let before = processor_time();
        let answer = actor.run(&command, link);
        let used = (processor_time() - before).as_millis();
        link.send(format!("{used} {answer}"));
    }
}

#[test]
fn waiters_use_little_processor_time() {
    let fixture = Fixture::new(0, 2);
    let mut child = fixture.start_actor_as("measured actor", "");
    let mut holder = fixture.start_actor();
    run(&mut holder, "lock, lock_reentrant, write");
    let mut measure = |commands: &str| {
        for command in commands.split(", ") {
            let start = Instant::now();
            let answer = child.ask(command);
            let (used, answer) = answer.split_once(' ').unwrap();
            let used = Duration::from_millis(used.parse().unwrap());
            println!("{command}: {used:?} of {:?}: {answer}", start.elapsed());
            if command.ends_with("000") {
                let timed_out = answer == "timed out" || answer.starts_with("TimedOut: ");
                assert!(timed_out, "{command}: {answer}");
                assert!(start.elapsed() >= WAIT, "{command}");
                // A waiter that spins uses most of a processor.
                assert!(used < WAIT / 4, "{command} used {used:?} of processor time");
            }
        }
    };
    measure("lock 1000, lock_reentrant 1000, read 1000, upgradable_read 1000, write 1000");
    measure("acquire 1000, consume 1000, wait_event 1000, wait_latch 1000");
    measure("join_barrier, wait_barrier 1000");
    run(&mut holder, "drop, drop, drop, read");
    measure("write 1000, upgradable_read, upgrade 1000, lock, wait_condvar 1000");
}
