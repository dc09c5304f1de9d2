//! A worker: a process or a thread that runs its workload whenever the controller commands it.
//!
//! Between commands it sleeps on a futex and disturbs nothing. `peers/boost.cpp` does the same in
//! C++.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{ArgAction, Args};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::time::{ClockId, clock_gettime};

use super::arena::{Arena, CPUS, pin};
use super::futex;
use super::mailbox::{
    ANSWER, BEGAN_NS, COMMAND, COUNT, ENDED, ENDED_NS, LEAVE, ROUNDS, SHARED_WORDS, STOP, USED_NS,
};

/// What a worker does, by name. The controller finds it in the table, and so does the worker.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    /// The operation and the peer that does it: `mutex/pthread`.
    pub(crate) name: &'static str,
    pub(crate) host: Host,
}

/// All workloads, in one table for each file that defines some.
pub(crate) type Workloads = &'static [&'static [Workload]];

/// Where a workload runs.
#[derive(Clone, Copy)]
pub(crate) enum Host {
    /// In a process of this program.
    Process(fn(&Worker)),
    /// In a thread of the controller.
    Thread(fn(&Worker)),
    /// In a process of another program; `None` where that is not available.
    Program(fn() -> Option<&'static Path>),
}

impl Workload {
    pub(crate) const fn process(name: &'static str, run: fn(&Worker)) -> Self {
        Self { name, host: Host::Process(run) }
    }

    pub(crate) const fn thread(name: &'static str, run: fn(&Worker)) -> Self {
        Self { name, host: Host::Thread(run) }
    }

    pub(crate) const fn program(name: &'static str, path: fn() -> Option<&'static Path>) -> Self {
        Self { name, host: Host::Program(path) }
    }

    pub(crate) fn find(workloads: Workloads, name: &str) -> Self {
        let found = workloads.iter().copied().flatten().find(|it| it.name == name);
        *found.unwrap_or_else(|| panic!("no workload is called `{name}`"))
    }
}

/// Instead of the number of a processor: either of the two.
pub(crate) const FREE: usize = usize::MAX;

/// What a worker needs to know, on its command line.
#[derive(Args)]
pub(crate) struct Assignment {
    #[arg(long)]
    pub(crate) arena: PathBuf,
    #[arg(long)]
    pub(crate) workload: String,
    /// What the workload is given: the size of its values, or what it says itself.
    #[arg(long)]
    pub(crate) argument: usize,
    #[arg(long)]
    pub(crate) cpu: usize,
    /// The worker's number in its set.
    #[arg(long)]
    pub(crate) number: usize,
    /// The first word of its mailbox in the arena.
    #[arg(long)]
    pub(crate) mailbox: usize,
    /// The first word of what the set shares in the arena.
    #[arg(long)]
    pub(crate) shared: usize,
    /// Whether this worker initialises what the set shares.
    #[arg(long, action = ArgAction::Set)]
    pub(crate) creates: bool,
}

impl Assignment {
    /// Returns the arguments of the command line: the subcommand, then options with their values.
    pub(crate) fn to_arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["worker".into(), "--arena".into(), self.arena.clone().into()];
        for (option, value) in [
            ("--workload", self.workload.clone()),
            ("--argument", self.argument.to_string()),
            ("--cpu", self.cpu.to_string()),
            ("--number", self.number.to_string()),
            ("--mailbox", self.mailbox.to_string()),
            ("--shared", self.shared.to_string()),
            ("--creates", self.creates.to_string()),
        ] {
            arguments.extend([option.into(), value.into()]);
        }
        arguments
    }

    /// Works as a process of its own, until the controller says to leave or dies.
    pub(crate) fn run_process(self, workloads: Workloads) {
        // Without this, the worker would outlive a killed controller and run forever.
        let signal = set_parent_process_death_signal(Some(Signal::KILL));
        signal.expect("cannot ask to be killed when the controller dies");
        match Workload::find(workloads, &self.workload).host {
            Host::Process(run) => self.run(run),
            _ => panic!("`{}` does not run in a process of this program", self.workload),
        }
    }

    /// Works in this thread, until the controller says to leave.
    pub(crate) fn run(self, run: fn(&Worker)) {
        // Otherwise the worker would stay on the processor of the controller, which started it.
        pin(if self.cpu == FREE { &CPUS } else { std::slice::from_ref(&self.cpu) });
        run(&Worker { arena: Arena::open(&self.arena), assignment: self });
    }
}

/// A worker at work.
pub(crate) struct Worker {
    arena: Arena,
    assignment: Assignment,
}

impl Worker {
    pub(crate) fn arena(&self) -> &Arena {
        &self.arena
    }

    pub(crate) fn argument(&self) -> usize {
        self.assignment.argument
    }

    pub(crate) fn mailbox(&self) -> usize {
        self.assignment.mailbox
    }

    pub(crate) fn number(&self) -> usize {
        self.assignment.number
    }

    /// Returns the memory of the set for what is measured.
    pub(crate) fn shared(&self) -> Shared<'_> {
        let words = self.arena.words(self.assignment.shared, SHARED_WORDS);
        Shared { words, create: self.assignment.creates }
    }

    /// Returns a name for an object that only this set of workers uses.
    pub(crate) fn object_name(&self) -> String {
        let Assignment { workload, shared, argument, .. } = &self.assignment;
        format!("{}-{shared}-{argument}", workload.replace('/', "-"))
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        self.arena.word(self.assignment.mailbox + at)
    }

    /// Reports that the worker has started, then repeats `operation` for each command.
    pub(crate) fn repeat(&self, mut operation: impl FnMut()) {
        self.serve(|command| command.repeat(&mut operation));
    }

    /// Reports that the worker has started, then calls `run` for each command.
    pub(crate) fn serve(&self, mut run: impl FnMut(&Command<'_>)) {
        let mut last = 0;
        self.answer(ENDED);
        loop {
            last = self.next_command(last);
            if last & 0xff == LEAVE {
                return;
            }
            let rounds = self.word(ROUNDS).load(Ordering::Relaxed);
            let (stop, count) = (self.word(STOP), self.word(COUNT));
            let used_before_ns = used_ns();
            // No wake-up: the controller polls, since waking it would disturb what is measured.
            self.word(ANSWER).store(last, Ordering::Release);
            self.word(BEGAN_NS).store(now_ns(), Ordering::Relaxed);
            run(&Command { what: last & 0xff, rounds, stop, count });
            self.word(ENDED_NS).store(now_ns(), Ordering::Relaxed);
            self.word(USED_NS).store(used_ns() - used_before_ns, Ordering::Relaxed);
            self.answer(last | ENDED);
        }
    }

    fn next_command(&self, last: u64) -> u64 {
        loop {
            let command = self.word(COMMAND).load(Ordering::Acquire);
            if command != last {
                return command;
            }
            futex::wait(self.word(COMMAND), last);
        }
    }

    fn answer(&self, answer: u64) {
        self.word(ANSWER).store(answer, Ordering::Release);
        futex::wake_one(self.word(ANSWER));
    }
}

/// A command of the controller.
pub(crate) struct Command<'a> {
    /// `RUN`, or a value that the workload defines.
    pub(crate) what: u64,
    rounds: u64,
    stop: &'a AtomicU64,
    count: &'a AtomicU64,
}

impl Command<'_> {
    /// Repeats `operation` for the commanded rounds; or until it is stopped, and counts.
    #[inline(always)]
    pub(crate) fn repeat(&self, mut operation: impl FnMut()) {
        if self.rounds == 0 {
            let mut count = self.count.load(Ordering::Relaxed);
            while self.stop.load(Ordering::Relaxed) == 0 {
                operation();
                count += 1;
                self.count.store(count, Ordering::Relaxed);
            }
        }
        for _ in 0..self.rounds {
            operation();
        }
    }
}

/// The words that a set of workers shares.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    words: &'a [AtomicU64],
    /// Whether this worker initialises them. It starts before the others.
    pub(crate) create: bool,
}

impl<'a> Shared<'a> {
    pub(crate) fn word(&self, at: usize) -> &'a AtomicU64 {
        &self.words[at]
    }

    /// Returns where a `T` lies, from word `at` on. A word's alignment suffices for it.
    pub(crate) fn pointer<T>(&self, at: usize) -> *mut T {
        const { assert!(align_of::<T>() <= align_of::<u64>()) };
        let words = size_of::<T>().div_ceil(size_of::<u64>());
        self.words[at..at + words].as_ptr().cast_mut().cast()
    }
}

/// Returns the time on the monotonic clock, which all processes share.
pub(crate) fn now_ns() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

/// Returns how long all threads of this process have run on a processor, in the kernel or not.
fn used_ns() -> u64 {
    nanoseconds(ClockId::ProcessCPUTime)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
