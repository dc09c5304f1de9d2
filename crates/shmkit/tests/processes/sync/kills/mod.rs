//! Workers that use everything at once are killed at random: some hundred times, or as often as the
//! environment variable `SHMKIT_KILLS` says.

mod monitor;
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use shmkit::Object;
use shmkit::sync::Barrier;

use self::monitor::{DEATHS, Monitor};
use self::worker::{NAME, OPERATIONS, PERMITS, Shared, Worker, open_shared, succeeded};
use super::crash::assert_permits;
use crate::children::{Child, Link};
use crate::flag::Flag;
use crate::system::KILLS;
use crate::test_dir::TestDir;
use crate::times::TIMEOUT;
use crate::values::Random;

/// How many workers run at a time, in children that are killed.
const WORKERS: usize = 6;
/// How many more run in threads of the test.
const SURVIVORS: usize = 2;
/// How many operations each survivor runs after all children are dead.
const ROUNDS_AFTER: u64 = 1_000;

/// Works until it is killed.
pub(crate) fn worker(link: &mut Link) {
    let task = link.task();
    let (id, seed) = task.split_once(' ').unwrap();
    let directory = shmkit::default_directory();
    let shared = open_shared(&directory);
    let random = Random::from_seed(seed.parse().unwrap());
    let mut worker = Worker::new(&directory, id.parse().unwrap(), random);
    link.send("working");
    loop {
        worker.run_one(&shared);
    }
}

fn kills() -> usize {
    let chosen = std::env::var("SHMKIT_KILLS").ok();
    chosen.map_or(KILLS / 5, |kills| kills.parse().expect("SHMKIT_KILLS is a number"))
}

/// The workers in children.
struct Workers<'a> {
    dir: &'a TestDir,
    monitor: &'a Monitor,
    random: &'a mut Random,
    next_id: u64,
    /// Each with its number, and whether it is known to work.
    alive: Vec<(Child, u64, bool)>,
}

impl Workers<'_> {
    fn start(&mut self) {
        let task = format!("{} {}", self.next_id, self.random.next());
        let child = Child::start(self.dir, "worker", task);
        self.alive.push((child, self.next_id, false));
        self.next_id += 1;
    }

    fn kill(&mut self, index: usize) {
        let (mut child, id, _) = self.alive.swap_remove(index);
        self.monitor.mark_doomed(id);
        child.kill();
    }

    fn wait_until_working(&mut self, index: usize) {
        let (child, _, works) = &mut self.alive[index];
        if !*works {
            assert_eq!(child.receive(), "working");
            *works = true;
        }
    }

    fn kill_at_random(&mut self, kills: usize) {
        (0..WORKERS).for_each(|_| self.start());
        for _ in 0..kills {
            let index = self.random.below(WORKERS as u64) as usize;
            // One in eight is killed while it starts or opens the objects.
            if !self.random.one_in(8) {
                self.wait_until_working(index);
            }
            // The sleep synchronizes nothing: it makes the moment of the kill random.
            thread::sleep(Duration::from_micros(self.random.below(1_500)));
            self.kill(index);
            self.start();
        }
        for index in 0..WORKERS {
            self.wait_until_working(index);
        }
        (0..WORKERS).for_each(|_| self.kill(0));
    }
}

#[test]
fn random_kills_lose_no_permit_break_no_exclusion_and_block_no_survivor() {
    let (dir, kills) = (TestDir::new(), kills());
    let mut random = Random::new();
    let monitor = Monitor::create(dir.path(), kills + WORKERS + SURVIVORS + 1);
    let handles = [(); SURVIVORS].map(|()| open_shared(dir.path()));
    let seeds = [(); SURVIVORS].map(|()| random.next());
    let stop = Flag::new();
    let counts: Vec<_> = thread::scope(|scope| {
        let survivors: Vec<_> = (1..)
            .zip(seeds)
            .zip(&handles)
            .map(|((id, seed), shared)| {
                let (dir, stop) = (&dir, &stop);
                scope.spawn(move || {
                    let mut worker = Worker::new(dir.path(), id, Random::from_seed(seed));
                    let mut counts = [0_u64; OPERATIONS.len()];
                    while !stop.is_set() || counts.contains(&0) {
                        counts[worker.run_one(shared)] += 1;
                    }
                    counts
                })
            })
            .collect();
        let set_stop = stop.set_on_drop();
        let next_id = 1 + SURVIVORS as u64;
        let alive = Vec::new();
        let mut workers =
            Workers { dir: &dir, monitor: &monitor, random: &mut random, next_id, alive };
        workers.kill_at_random(kills);
        drop(set_stop);
        survivors.into_iter().map(|it| it.join().unwrap()).collect()
    });
    println!("{kills} kills; deaths noticed: {}", monitor.get(DEATHS));
    for (index, (name, _)) in OPERATIONS.iter().enumerate() {
        println!("{name}: {}", counts.iter().map(|counts| counts[index]).sum::<u64>());
    }
    check_survivors(&dir, &handles, seeds);
}

/// After all children are dead, the survivors repair what these left, and then no death is reported
/// any more.
fn check_survivors(dir: &TestDir, handles: &[Object<Shared>; SURVIVORS], seeds: [u64; SURVIVORS]) {
    for (semaphore, permits) in handles[0].4.iter().zip(PERMITS) {
        assert_permits(semaphore, permits);
    }
    for may_report_deaths in [true, false] {
        thread::scope(|scope| {
            for ((id, seed), shared) in (1..).zip(seeds).zip(handles) {
                scope.spawn(move || {
                    let mut worker = Worker::new(dir.path(), id, Random::from_seed(seed));
                    worker.may_skip_repair = false;
                    for number in 0..ROUNDS_AFTER {
                        OPERATIONS[number as usize % OPERATIONS.len()].1(&mut worker, shared);
                    }
                    assert!(may_report_deaths || worker.deaths == 0, "a death is reported again");
                });
            }
        });
    }
    meet(&handles[0].6);
    dir.repair();
    let participants = dir.describe(NAME).participants;
    assert_eq!(participants.len(), SURVIVORS, "{participants:?}");
}

/// Three parties join in place of the dead, and each completes a thousand rounds.
fn meet(barrier: &Barrier) {
    let rounds = [const { AtomicU64::new(0) }; 3];
    let start = Instant::now();
    thread::scope(|scope| {
        for completed in &rounds {
            let rounds = &rounds;
            scope.spawn(move || {
                let mut party = None;
                // ORDERING: Relaxed; no data depends on the numbers, and they may be seen late.
                while rounds.iter().any(|it| it.load(Ordering::Relaxed) < ROUNDS_AFTER) {
                    assert!(start.elapsed() < TIMEOUT, "the parties do not meet: {rounds:?}");
                    let Some(party) = &mut party else {
                        party = barrier.join().ok();
                        continue;
                    };
                    if succeeded(party.wait_timeout(Duration::from_millis(5))) {
                        // ORDERING: Relaxed; as above.
                        completed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
}
