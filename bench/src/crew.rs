//! Processes, or threads, that do one thing together when they are told.
//!
//! ```text
//! this process              the last hand, ...        hand 0
//! begin ──────────────────> is at it
//! begin ────────────────────────────────────────────> its clock starts
//! asleep                    ........ what is measured ........
//! <────────────────────────────────────────────────── its clock stops: ended
//! ```
//!
//! A crew that is not told anything sleeps on futexes, so that two can take turns, floor and
//! subject, and neither disturbs the other.

use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::futex;
use crate::ground::{CREWS, Ground, LOOK, name_of};
use crate::hand::{
    ANSWER, BEGAN_NS, COMMAND, COUNT, ENDED, ENDED_NS, HAND_WORDS, LEAVE, PLACE_WORDS, ROUNDS,
    Role, STOP, TOTAL, Task, USED_NS, WORK, Way, now_ns,
};
use crate::peers::boost;
use crate::report::extremes;

/// As many hands, and crews, as there is place for.
pub(crate) const HANDS: usize = 8;
const STATIONS: usize = 2;
const STATION_WORDS: usize = HANDS * HAND_WORDS + PLACE_WORDS;
pub(crate) const CREW_WORDS: usize = STATIONS * STATION_WORDS;

/// How long hands that work until they are stopped are watched.
const WATCHED: Duration = Duration::from_millis(100);
/// How long an answer is awaited before it is looked whether the hand still lives.
const PATIENCE: Duration = Duration::from_millis(500);

/// What a crew does, and by whose means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) task: Task,
    pub(crate) way: Way,
}

enum Worker {
    Process(Child),
    Thread(Option<JoinHandle<()>>),
}

/// Hands that have something to do in turns, or at once.
pub(crate) struct Crew<'a> {
    ground: &'a Ground,
    station: usize,
    job: Job,
    cpus: Vec<usize>,
    workers: Vec<Worker>,
    commands: u64,
}

impl<'a> Crew<'a> {
    /// Starts a hand on each of `cpus`; `None` where this cannot be had here.
    pub(crate) fn start(
        ground: &'a Ground,
        station: usize,
        job: Job,
        cpus: &[usize],
    ) -> Option<Self> {
        assert!(station < STATIONS && cpus.len() <= HANDS, "there is place for it");
        if job.way.is_boost() {
            boost::program()?;
        }
        let (cpus, workers) = (cpus.to_vec(), Vec::new());
        let mut crew = Self { ground, station, job, cpus, workers, commands: 0 };
        for number in 0..crew.cpus.len() {
            let worker = crew.hire(number, number == 0);
            crew.workers.push(worker);
            crew.await_answer(number, ENDED);
        }
        Some(crew)
    }

    pub(crate) fn job(&self) -> Job {
        self.job
    }

    /// The hand's `at`th word.
    fn word(&self, number: usize, at: usize) -> &'a AtomicU64 {
        self.ground.word(self.first_word() + number * HAND_WORDS + at)
    }

    fn first_word(&self) -> usize {
        CREWS + self.station * STATION_WORDS
    }

    fn hire(&self, number: usize, make: bool) -> Worker {
        for at in 0..HAND_WORDS {
            self.word(number, at).store(0, Ordering::Relaxed);
        }
        let role = Role {
            ground: self.ground.directory().to_owned(),
            task: self.job.task,
            way: self.job.way,
            cpu: self.cpus[number],
            number,
            words: self.first_word() + number * HAND_WORDS,
            place: self.first_word() + HANDS * HAND_WORDS,
            make: make.into(),
        };
        if self.job.way.is_threads() {
            return Worker::Thread(Some(thread::spawn(move || role.play())));
        }
        let mut command = Command::new(match self.job.way.is_boost() {
            true => boost::program().expect("it was there when the crew started").to_owned(),
            false => std::env::current_exe().expect("this program has a path"),
        });
        command.arg("hand").arg("--ground").arg(&role.ground);
        command.args(["--task".to_owned(), name_of(&role.task)]);
        command.args(["--way".to_owned(), name_of(&role.way)]);
        let numbers = [
            ("--cpu", role.cpu),
            ("--number", role.number),
            ("--words", role.words),
            ("--place", role.place),
            ("--make", role.make.into()),
        ];
        for (option, value) in numbers {
            command.args([option.to_owned(), value.to_string()]);
        }
        Worker::Process(command.spawn().expect("the program can be started"))
    }

    /// Tells a hand what to do, and does not wait for it. Who leaves also stops.
    fn tell(&mut self, number: usize, what: u64, rounds: u64) {
        self.commands += 1;
        self.word(number, STOP).store((what == LEAVE).into(), Ordering::Relaxed);
        self.word(number, ROUNDS).store(rounds, Ordering::Relaxed);
        self.word(number, COMMAND).store(self.commands << 8 | what, Ordering::Release);
        futex::wake_one(self.word(number, COMMAND));
    }

    /// Has a hand begin with `rounds`, or with as many as there are until it is stopped if it is
    /// 0, and waits until it did.
    pub(crate) fn begin(&mut self, number: usize, rounds: u64) {
        self.tell(number, WORK, rounds);
        let begun = self.word(number, COMMAND).load(Ordering::Relaxed);
        while self.word(number, ANSWER).load(Ordering::Acquire) | ENDED != begun | ENDED {
            self.assert_alive(number);
            thread::sleep(LOOK);
        }
    }

    /// Waits until a hand has done what it was told, and returns when it did.
    pub(crate) fn end(&mut self, number: usize) -> u64 {
        let command = self.word(number, COMMAND).load(Ordering::Relaxed);
        self.await_answer(number, command | ENDED);
        self.word(number, ENDED_NS).load(Ordering::Relaxed)
    }

    fn await_answer(&mut self, number: usize, answer: u64) {
        let word = self.word(number, ANSWER);
        loop {
            let found = word.load(Ordering::Acquire);
            if found == answer {
                return;
            }
            self.assert_alive(number);
            futex::wait_timeout(word, found, PATIENCE);
        }
    }

    fn assert_alive(&mut self, number: usize) {
        let gone = match &mut self.workers[number] {
            Worker::Process(child) => child.try_wait().is_ok_and(|status| status.is_some()),
            Worker::Thread(thread) => thread.as_ref().is_none_or(JoinHandle::is_finished),
        };
        assert!(!gone, "hand {number} ended while it did {}", name_of(&self.job.task));
    }

    /// Has all hands do `rounds`, and returns the nanoseconds of one, by the clock of hand 0.
    pub(crate) fn time(&mut self, rounds: u64) -> f64 {
        for number in (1..self.cpus.len()).rev() {
            self.begin(number, rounds);
        }
        self.tell(0, WORK, rounds);
        let ended = self.end(0);
        for number in 1..self.cpus.len() {
            self.end(number);
        }
        (ended - self.word(0, BEGAN_NS).load(Ordering::Relaxed)) as f64 / rounds as f64
    }

    /// Has all hands work for a while, and counts what each got done.
    pub(crate) fn count(&mut self) -> Counts {
        let hands = 0..self.cpus.len();
        for number in hands.clone() {
            self.begin(number, 0);
        }
        let counts = |crew: &Self| -> Vec<_> {
            hands.clone().map(|it| crew.word(it, COUNT).load(Ordering::Relaxed)).collect()
        };
        let (started, before) = (Instant::now(), counts(self));
        thread::sleep(WATCHED);
        let (took, after) = (started.elapsed(), counts(self));
        for number in hands.clone() {
            self.word(number, STOP).store(1, Ordering::Relaxed);
        }
        for number in hands.clone() {
            self.end(number);
        }
        let each = after.iter().zip(&before).map(|(after, before)| (after - before) as f64);
        Counts { each: each.collect(), seconds: took.as_secs_f64() }
    }

    /// How much of a processor a hand used while it did what it was told last, in per cent.
    pub(crate) fn share_of_processor(&self, number: usize) -> f64 {
        let [began, ended, used] =
            [BEGAN_NS, ENDED_NS, USED_NS].map(|at| self.word(number, at).load(Ordering::Relaxed));
        used as f64 / (ended - began) as f64 * 100.0
    }

    /// Fails if the counter under the lock lost something.
    pub(crate) fn assert_nothing_lost(&self) {
        let place = self.first_word() + HANDS * HAND_WORDS;
        let total = self.ground.word(place + TOTAL).load(Ordering::Relaxed);
        let counted = (0..self.cpus.len()).map(|it| self.word(it, COUNT).load(Ordering::Relaxed));
        assert_eq!(total, counted.sum::<u64>(), "{} does not exclude", name_of(&self.job.way));
    }

    /// Kills a hand, and returns when.
    pub(crate) fn kill(&mut self, number: usize) -> u64 {
        let Worker::Process(child) = &mut self.workers[number] else {
            panic!("a thread cannot be killed");
        };
        let now = now_ns();
        child.kill().expect("it lives");
        now
    }

    /// Starts another in place of one that was killed.
    pub(crate) fn replace(&mut self, number: usize) {
        if let Worker::Process(child) = &mut self.workers[number] {
            child.wait().expect("it was started here");
        }
        self.workers[number] = self.hire(number, false);
        self.await_answer(number, ENDED);
    }
}

impl Drop for Crew<'_> {
    fn drop(&mut self) {
        for number in 0..self.workers.len() {
            self.tell(number, LEAVE, 0);
        }
        for worker in &mut self.workers {
            match worker {
                Worker::Process(child) => drop(child.wait()),
                Worker::Thread(thread) => drop(thread.take().map(JoinHandle::join)),
            }
        }
    }
}

/// What each hand got done.
pub(crate) struct Counts {
    each: Vec<f64>,
    seconds: f64,
}

impl Counts {
    pub(crate) fn millions_per_second(&self) -> f64 {
        self.each.iter().sum::<f64>() / self.seconds / 1e6
    }

    /// The least and the most that a hand did, in per cent of an even share.
    pub(crate) fn extremes(&self) -> (f64, f64) {
        let even = self.each.iter().sum::<f64>() / self.each.len() as f64;
        let (least, most) = extremes(&self.each);
        (least / even * 100.0, most / even * 100.0)
    }
}
