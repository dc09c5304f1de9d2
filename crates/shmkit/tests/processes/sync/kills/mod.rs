//! Many who use everything at once are killed at random, some hundred times, or as often as the
//! environment's `SHMKIT_KILLS` says.

mod board;
mod worker;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use shmkit::ErrorKind;
use shmkit::sync::{Barrier, named::Named};

use self::board::{Board, NEWS};
use self::worker::{ACTS, PERMITS, STAGE, Stage, Worker, open_stage};
use super::crash::check_permits;
use super::ledger::PATIENCE;
use crate::children::{Child, Link};
use crate::place::Place;
use crate::system::KILLS;
use crate::values::Random;

/// How many are at work, besides those that live through it all.
const WORKERS: usize = 6;
const SURVIVORS: usize = 2;
/// So many rounds work when all are dead.
const MORE: u64 = 1_000;

/// Works until it is killed.
pub(crate) fn worker(link: &mut Link) {
    let task = link.task();
    let (who, seed) = task.split_once(' ').unwrap();
    let directory = shmkit::default_directory();
    let stage = open_stage(&directory);
    let random = Random::of(seed.parse().unwrap());
    let mut worker = Worker::new(&directory, who.parse().unwrap(), random);
    link.say("begun");
    loop {
        worker.act(&stage);
    }
}

fn kills() -> usize {
    let chosen = std::env::var("SHMKIT_KILLS").ok();
    chosen.map_or(KILLS / 5, |kills| kills.parse().expect("SHMKIT_KILLS is a number"))
}

/// Those who are killed.
struct Workers<'a> {
    place: &'a Place,
    board: &'a Board,
    random: &'a mut Random,
    next: u64,
    /// Their numbers, and whether they have begun.
    alive: Vec<(Child, u64, bool)>,
}

impl Workers<'_> {
    fn start(&mut self) {
        let task = format!("{} {}", self.next, self.random.next());
        let child = Child::start(self.place, "worker", task);
        self.alive.push((child, self.next, false));
        self.next += 1;
    }

    fn kill(&mut self, number: usize) {
        let (mut child, who, _) = self.alive.swap_remove(number);
        self.board.doom(who);
        child.kill();
    }

    fn wait_for(&mut self, number: usize) {
        let (child, _, begun) = &mut self.alive[number];
        if !*begun {
            assert_eq!(child.hear(), "begun");
            *begun = true;
        }
    }
}

#[test]
fn random_kills_lose_no_permit_let_no_two_in_and_hold_nobody_up() {
    let (place, kills) = (Place::new(), kills());
    let mut random = Random::new();
    let board = Board::create(place.path(), kills + WORKERS + SURVIVORS + 1);
    let stages = [(); SURVIVORS].map(|()| open_stage(place.path()));
    let seeds = [(); SURVIVORS].map(|()| random.next());
    let over = AtomicBool::new(false);
    let acts: Vec<_> = thread::scope(|scope| {
        let survivors: Vec<_> = (1..)
            .zip(seeds)
            .zip(&stages)
            .map(|((who, seed), stage)| {
                let (place, over) = (&place, &over);
                scope.spawn(move || {
                    let mut worker = Worker::new(place.path(), who, Random::of(seed));
                    let mut acts = [0_u64; ACTS.len()];
                    // ORDERING: Relaxed; it may come late.
                    while !over.load(Ordering::Relaxed) || acts.contains(&0) {
                        acts[worker.act(stage)] += 1;
                    }
                    acts
                })
            })
            .collect();
        let signal = Over(&over);
        let next = 1 + SURVIVORS as u64;
        let alive = Vec::new();
        let mut workers =
            Workers { place: &place, board: &board, random: &mut random, next, alive };
        kill_at_random(&mut workers, kills);
        drop(signal);
        survivors.into_iter().map(|it| it.join().unwrap()).collect()
    });
    println!("{kills} kills, of which others were told {} times", board.number(NEWS));
    for (number, (name, _)) in ACTS.iter().enumerate() {
        println!("{name}: {}", acts.iter().map(|acts| acts[number]).sum::<u64>());
    }
    go_on(&place, &stages, seeds);
}

/// Set when it goes, however that comes about.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        // ORDERING: Relaxed; as above.
        self.0.store(true, Ordering::Relaxed);
    }
}

fn kill_at_random(workers: &mut Workers<'_>, kills: usize) {
    (0..WORKERS).for_each(|_| workers.start());
    for _ in 0..kills {
        let who = workers.random.below(WORKERS as u64) as usize;
        // One in eight is killed while it is starting or attaching.
        if workers.random.below(8) != 0 {
            workers.wait_for(who);
        }
        // No waiting for anything: where the kill falls is to be left to chance.
        thread::sleep(Duration::from_micros(workers.random.below(1_500)));
        workers.kill(who);
        workers.start();
    }
    for who in 0..WORKERS {
        workers.wait_for(who);
    }
    (0..WORKERS).for_each(|_| workers.kill(0));
}

/// When all are dead, the others mend what is left, and then no more comes of them.
fn go_on(place: &Place, stages: &[Named<Stage>; SURVIVORS], seeds: [u64; SURVIVORS]) {
    for (semaphore, permits) in stages[0].4.iter().zip(PERMITS) {
        check_permits(semaphore, permits);
    }
    for news_are_due in [true, false] {
        thread::scope(|scope| {
            for ((who, seed), stage) in (1..).zip(seeds).zip(stages) {
                scope.spawn(move || {
                    let mut worker = Worker::new(place.path(), who, Random::of(seed));
                    worker.careless = false;
                    for number in 0..MORE {
                        ACTS[number as usize % ACTS.len()].1(&mut worker, stage);
                    }
                    assert!(news_are_due || worker.news == 0, "told of a death again");
                });
            }
        });
    }
    meet(&stages[0].6);
    place.repair();
    let members = place.describe(STAGE).participants;
    assert_eq!(members.len(), SURVIVORS, "{members:?}");
}

/// Three meet a thousand times, once the places of the dead are theirs.
fn meet(barrier: &Barrier) {
    let met = [const { AtomicU64::new(0) }; 3];
    let given_up = Instant::now() + PATIENCE;
    thread::scope(|scope| {
        for mine in &met {
            let met = &met;
            scope.spawn(move || {
                let mut party = None;
                // ORDERING: Relaxed; it may be seen late.
                while met.iter().any(|times| times.load(Ordering::Relaxed) < MORE) {
                    assert!(Instant::now() < given_up, "they do not meet: {met:?}");
                    let Some(party) = &mut party else {
                        party = barrier.join().ok();
                        continue;
                    };
                    match party.wait_timeout(Duration::from_millis(5)) {
                        Ok(_) => _ = mine.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            let kind = error.kind();
                            let due = [ErrorKind::TimedOut, ErrorKind::PeerDied];
                            assert!(due.contains(&kind), "{error}");
                        }
                    }
                }
            });
        }
    });
}
