//! The controller's side: it starts a set of workers, commands them and reads what they measured.
//!
//! ```text
//! this process              worker n - 1, ...         worker 0
//! begin ──────────────────> runs
//! send ─────────────────────────────────────────────> its clock starts
//! sleeps                    ........ what is measured ........
//! <────────────────────────────────────────────────── its clock stops: ended
//! ```
//!
//! Workers without a command sleep, so two sets can be measured alternately.

use std::cell::{Cell, RefCell};
use std::io;
use std::ops::Range;
use std::process::{self, Child};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::arena::{self, Arena, CPUS, pin};
use super::futex;
use super::mailbox::{
    ANSWER, BEGAN_NS, COMMAND, COUNT, ENDED, ENDED_NS, LEAVE, MAILBOX_WORDS, ROUNDS, RUN, STOP,
    USED_NS,
};
use super::waits;
use super::worker::{Assignment, Host, Workload, Workloads, now_ns};

/// The interval at which the controller polls for something that is not measured.
const POLL: Duration = Duration::from_micros(20);
/// How long the controller waits for an answer before it checks that the worker lives.
const LIVENESS_CHECK: Duration = Duration::from_millis(500);

/// The arena of a suite, and the workloads that can run in it.
pub(crate) struct Harness {
    pub(crate) arena: Arena,
    workloads: Workloads,
    /// What the name of each case contains that is measured.
    wanted: String,
}

impl Harness {
    /// Creates an arena and pins this thread to processor 0.
    pub(crate) fn new(workloads: Workloads, wanted: &str) -> Self {
        pin(&[0]);
        Self { arena: Arena::create(), workloads, wanted: wanted.to_owned() }
    }

    /// Returns whether a case is measured. Suites that need long for each case ask.
    pub(crate) fn wants(&self, case: &str) -> bool {
        case.contains(&self.wanted)
    }

    /// Starts one worker of this program, to work together with the controller.
    pub(crate) fn start_one(&self, workload: &str, argument: usize, cpu: usize) -> Workers<'_> {
        let workers = Workers::start(self, 0, workload, argument, &[cpu]);
        workers.expect("a workload of this program is always available")
    }
}

/// What a command took.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) elapsed_ns: f64,
    /// The time that the worker's threads ran on a processor, in the kernel or not.
    pub(crate) used_ns: f64,
}

/// The processors that pinned workers alternate between.
pub(crate) const PINNED: [usize; 2] = CPUS;

/// Returns the processor of each worker.
pub(crate) fn cpus(place: [usize; 2], workers: usize) -> Vec<usize> {
    place.into_iter().cycle().take(workers).collect()
}

enum Running {
    Process(Child),
    Thread(JoinHandle<()>),
}

/// A set of workers with one workload. They leave when it is dropped.
pub(crate) struct Workers<'a> {
    arena: &'a Arena,
    station: usize,
    workload: Workload,
    argument: usize,
    cpus: Vec<usize>,
    running: RefCell<Vec<Running>>,
    commands: Cell<u64>,
}

impl<'a> Workers<'a> {
    /// Starts a worker on each of `cpus`. `None` where the workload is not available.
    pub(crate) fn start(
        harness: &'a Harness,
        station: usize,
        workload: &str,
        argument: usize,
        cpus: &[usize],
    ) -> Option<Self> {
        let workload = Workload::find(harness.workloads, workload);
        let (arena, cpus, running) = (&harness.arena, cpus.to_vec(), RefCell::default());
        let commands = Cell::new(0);
        let workers = Self { arena, station, workload, argument, cpus, running, commands };
        for number in 0..workers.cpus.len() {
            let running = workers.launch(number, number == 0)?;
            workers.running.borrow_mut().push(running);
            workers.wait_for(number, ENDED);
        }
        Some(workers)
    }

    pub(crate) fn arena(&self) -> &'a Arena {
        self.arena
    }

    pub(crate) fn workload(&self) -> &'static str {
        self.workload.name
    }

    fn word(&self, number: usize, at: usize) -> &'a AtomicU64 {
        self.arena.word(arena::mailbox(self.station, number) + at)
    }

    /// Returns how many workers there are.
    pub(crate) fn len(&self) -> usize {
        self.cpus.len()
    }

    pub(crate) fn numbers(&self) -> Range<usize> {
        0..self.cpus.len()
    }

    fn launch(&self, number: usize, creates: bool) -> Option<Running> {
        for at in 0..MAILBOX_WORDS {
            self.word(number, at).store(0, Ordering::Relaxed);
        }
        let assignment = Assignment {
            arena: self.arena.directory().to_owned(),
            workload: self.workload.name.to_owned(),
            argument: self.argument,
            cpu: self.cpus[number],
            number,
            mailbox: arena::mailbox(self.station, number),
            shared: arena::shared(self.station),
            creates,
        };
        let program = match self.workload.host {
            Host::Thread(run) => {
                return Some(Running::Thread(thread::spawn(move || assignment.run(run))));
            }
            Host::Process(_) => std::env::current_exe().expect("cannot find this program"),
            Host::Program(path) => path()?.to_owned(),
        };
        let child = process::Command::new(&program).args(assignment.to_arguments()).spawn();
        let started = |error| panic!("cannot start {}: {error}", program.display());
        Some(Running::Process(child.unwrap_or_else(started)))
    }

    /// Commands a worker without waiting. `LEAVE` also stops it.
    fn send(&self, number: usize, what: u64, rounds: u64) {
        self.commands.set(self.commands.get() + 1);
        let command = self.commands.get() << 8 | what;
        self.word(number, STOP).store((what == LEAVE).into(), Ordering::Relaxed);
        self.word(number, ROUNDS).store(rounds, Ordering::Relaxed);
        self.word(number, COMMAND).store(command, Ordering::Release);
        futex::wake_one(self.word(number, COMMAND));
    }

    /// Commands a worker, and waits until it has begun. 0 rounds last until it is stopped.
    pub(crate) fn begin(&self, number: usize, what: u64, rounds: u64) {
        self.send(number, what, rounds);
        self.wait_begun(number);
    }

    fn wait_begun(&self, number: usize) {
        let command = self.word(number, COMMAND).load(Ordering::Relaxed);
        while self.word(number, ANSWER).load(Ordering::Acquire) | ENDED != command | ENDED {
            self.assert_alive(number);
            thread::sleep(POLL);
        }
    }

    /// Waits until a worker has finished its command, and returns when that was, in nanoseconds.
    pub(crate) fn wait(&self, number: usize) -> u64 {
        let command = self.word(number, COMMAND).load(Ordering::Relaxed);
        self.wait_for(number, command | ENDED);
        self.word(number, ENDED_NS).load(Ordering::Relaxed)
    }

    fn wait_for(&self, number: usize, answer: u64) {
        let word = self.word(number, ANSWER);
        loop {
            let found = word.load(Ordering::Acquire);
            if found == answer {
                return;
            }
            self.assert_alive(number);
            futex::wait_timeout(word, found, LIVENESS_CHECK);
        }
    }

    fn assert_alive(&self, number: usize) {
        let has_ended = match &mut self.running.borrow_mut()[number] {
            Running::Process(child) => child.try_wait().is_ok_and(|status| status.is_some()),
            Running::Thread(thread) => thread.is_finished(),
        };
        assert!(!has_ended, "worker {number} of `{}` ended unexpectedly", self.workload());
    }

    /// Runs all workers for `rounds`, and returns the nanoseconds of one by worker 0's clock.
    pub(crate) fn time(&self, rounds: u64) -> f64 {
        for number in self.numbers().skip(1).rev() {
            self.begin(number, RUN, rounds);
        }
        self.send(0, RUN, rounds);
        let ended = self.wait(0);
        for number in self.numbers().skip(1) {
            self.wait(number);
        }
        (ended - self.word(0, BEGAN_NS).load(Ordering::Relaxed)) as f64 / rounds as f64
    }

    /// Runs worker 0 for `rounds` and `own` here, and returns the nanoseconds of a round by this
    /// process's clock.
    pub(crate) fn time_with(&self, what: u64, rounds: u64, own: impl FnOnce()) -> f64 {
        self.begin(0, what, rounds);
        let started = Instant::now();
        own();
        let elapsed = started.elapsed();
        self.wait(0);
        elapsed.as_nanos() as f64 / rounds as f64
    }

    /// Calls `own` while all workers run.
    pub(crate) fn during<T>(&self, what: u64, own: impl FnOnce() -> T) -> T {
        self.during_each(self.numbers(), |_| what, own)
    }

    /// Calls `own` while some workers run, each what `what` returns for it.
    pub(crate) fn during_each<T>(
        &self,
        numbers: Range<usize>,
        what: impl Fn(usize) -> u64,
        own: impl FnOnce() -> T,
    ) -> T {
        numbers.clone().for_each(|number| self.send(number, what(number), 0));
        numbers.clone().for_each(|number| self.wait_begun(number));
        let result = own();
        numbers.clone().for_each(|number| self.stop(number));
        numbers.for_each(|number| _ = self.wait(number));
        result
    }

    /// Ends a command without a number of rounds after the operation that runs.
    pub(crate) fn stop(&self, number: usize) {
        self.word(number, STOP).store(1, Ordering::Relaxed);
    }

    /// Returns how many operations each worker has completed in `during`.
    pub(crate) fn counts(&self) -> Vec<u64> {
        self.numbers().map(|number| self.word(number, COUNT).load(Ordering::Relaxed)).collect()
    }

    /// Returns how long the acquisitions of some workers took, which measured that.
    pub(crate) fn waits(&self, numbers: Range<usize>) -> io::Result<Histogram<u64>> {
        let mailboxes = numbers.map(|number| arena::mailbox(self.station, number));
        waits::read_all(self.arena.directory(), mailboxes)
    }

    /// Returns a word of what the workers share.
    pub(crate) fn shared_word(&self, at: usize) -> &'a AtomicU64 {
        self.arena.word(arena::shared(self.station) + at)
    }

    /// Returns how long a worker's last command took, and how much processor time.
    pub(crate) fn spent(&self, number: usize) -> Spent {
        let [began, ended, used] =
            [BEGAN_NS, ENDED_NS, USED_NS].map(|at| self.word(number, at).load(Ordering::Relaxed));
        Spent { elapsed_ns: (ended - began) as f64, used_ns: used as f64 }
    }

    /// Kills a worker, and returns when, in nanoseconds.
    pub(crate) fn kill(&self, number: usize) -> u64 {
        let Running::Process(child) = &mut self.running.borrow_mut()[number] else {
            panic!("worker {number} of `{}` is a thread: it cannot be killed", self.workload());
        };
        let now = now_ns();
        child.kill().expect("cannot kill a worker");
        now
    }

    /// Starts another worker in place of a killed one.
    pub(crate) fn replace(&self, number: usize) {
        if let Running::Process(child) = &mut self.running.borrow_mut()[number] {
            child.wait().expect("cannot wait for a killed worker");
        }
        let running = self.launch(number, false).expect("the workload is available");
        self.running.borrow_mut()[number] = running;
        self.wait_for(number, ENDED);
    }
}

impl Drop for Workers<'_> {
    fn drop(&mut self) {
        let running = self.running.take();
        for number in 0..running.len() {
            self.send(number, LEAVE, 0);
        }
        // Where this thread panics in the middle of a command, the worker may wait for it forever.
        let is_cut_off = thread::panicking();
        for running in running {
            match running {
                Running::Process(mut child) => {
                    if is_cut_off {
                        _ = child.kill();
                    }
                    _ = child.wait();
                }
                Running::Thread(thread) if !is_cut_off => drop(thread.join()),
                Running::Thread(_) => (),
            }
        }
    }
}
