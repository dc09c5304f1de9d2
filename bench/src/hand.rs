//! One of a crew: does its task when it is told, in a process or a thread of its own.
//!
//! It sleeps between its tasks, and says when it began and ended by the clock that all processes
//! share. `peers/boost.cpp` is the same in C++; `WORDS_OF_A_HAND` is what both go by.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Args, ValueEnum};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::time::{ClockId, clock_gettime};

use crate::futex;
use crate::ground::{Ground, name_of, pin};
use crate::sync;

/// Where a hand's words are, from its first. The first line is written by who commands.
pub(crate) const COMMAND: usize = 0;
pub(crate) const ROUNDS: usize = 1;
pub(crate) const STOP: usize = 2;
/// The second is the hand's own.
pub(crate) const ANSWER: usize = 16;
pub(crate) const BEGAN_NS: usize = 17;
pub(crate) const ENDED_NS: usize = 18;
pub(crate) const COUNT: usize = 19;
pub(crate) const USED_NS: usize = 20;
pub(crate) const HAND_WORDS: usize = 32;

/// What a hand is told in the lowest byte of a command, above which commands are counted.
pub(crate) const LEAVE: u64 = 0;
pub(crate) const WORK: u64 = 1;
/// What it adds to its answer when it has done it, or is there.
pub(crate) const ENDED: u64 = 0xff;

/// The words that a crew shares, all beside their lock in its first line where there is room.
pub(crate) const PLACE_WORDS: usize = 64;
/// Where the counter under a mutex is, so that it can be compared with what hands counted.
pub(crate) const TOTAL: usize = 7;
/// How many operations on a lock for readers and writers there are for each that writes.
pub(crate) const OPERATIONS_PER_WRITE: u64 = 1_000;
/// How long the chain of instructions of a long section is: about a microsecond.
pub(crate) const LONG_STEPS: u64 = 500;
/// The hand that gives first where two take turns; the other takes first.
pub(crate) const GIVER: usize = 0;

/// The same, by the names that they have in C++.
pub(crate) const WORDS_OF_A_HAND: [(&str, u64); 14] = [
    ("COMMAND", COMMAND as u64),
    ("ROUNDS", ROUNDS as u64),
    ("STOP", STOP as u64),
    ("ANSWER", ANSWER as u64),
    ("BEGAN_NS", BEGAN_NS as u64),
    ("ENDED_NS", ENDED_NS as u64),
    ("COUNT", COUNT as u64),
    ("LEAVE", LEAVE),
    ("ENDED", ENDED),
    ("PLACE_WORDS", PLACE_WORDS as u64),
    ("TOTAL", TOTAL as u64),
    ("OPERATIONS_PER_WRITE", OPERATIONS_PER_WRITE),
    ("LONG_STEPS", LONG_STEPS),
    ("GIVER", GIVER as u64),
];

/// What the hands of a crew do, over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// Locks a mutex, adds one, unlocks.
    Mutex,
    /// The same with a microsecond's work before it unlocks.
    LongMutex,
    /// Locks for reading, and reads.
    Read,
    /// Locks the same for writing, and adds one.
    Write,
    /// Reads, and seldom writes.
    ReadMostly,
    /// Takes the only permit, and gives it back.
    Permit,
    /// Gives a turn to the other, and takes its own, by a mutex and conditions.
    Condition,
    /// The same by two semaphores.
    Semaphore,
    /// The same by two events.
    Event,
    /// The first holds a mutex when it is killed, the second waits for it.
    Takeover,
    /// The same with a lock that the first has for writing.
    TakeoverWrite,
    /// The same with the only permit.
    TakeoverPermit,
    /// The first is a party of a barrier at which the second waits.
    TakeoverParty,
}

/// By whose means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// shmkit.
    Shmkit,
    /// The standard library's, between threads of one process.
    Std,
    /// A word and the futex call.
    Futex,
    /// POSIX, shared between processes.
    Pthread,
    /// The same, robust.
    Robust,
    /// Boost.Interprocess, on POSIX.
    Boost,
    /// Its lock for readers and writers of whom one may upgrade.
    BoostUpgradable,
    /// Its lock for readers and writers.
    BoostSharable,
}

impl Way {
    /// Whether the hands are threads of this process.
    pub(crate) fn is_threads(self) -> bool {
        self == Self::Std
    }

    /// Whether the hands are C++ programs.
    pub(crate) fn is_boost(self) -> bool {
        matches!(self, Self::Boost | Self::BoostUpgradable | Self::BoostSharable)
    }
}

/// What a hand is told when it starts.
#[derive(Args)]
pub(crate) struct Role {
    #[arg(long)]
    pub(crate) ground: PathBuf,
    #[arg(long)]
    pub(crate) task: Task,
    #[arg(long)]
    pub(crate) way: Way,
    #[arg(long)]
    pub(crate) cpu: usize,
    /// Among the crew's hands.
    #[arg(long)]
    pub(crate) number: usize,
    /// Where on the ground its words are.
    #[arg(long)]
    pub(crate) words: usize,
    /// Where on the ground are those that the crew shares.
    #[arg(long)]
    pub(crate) place: usize,
    /// Whether it makes what the crew shares: 0 or 1.
    #[arg(long)]
    pub(crate) make: u8,
}

impl Role {
    /// Works until it is told to leave.
    pub(crate) fn play(self) {
        pin(self.cpu);
        if !self.way.is_threads() {
            // Otherwise it would outlive one who commands and is killed, and work on for ever.
            let signal = Some(Signal::KILL);
            set_parent_process_death_signal(signal).expect("the signal exists");
        }
        let ground = Ground::open(&self.ground);
        sync::work(&Hand { ground, role: self });
    }
}

/// A hand at work.
pub(crate) struct Hand {
    ground: Ground,
    role: Role,
}

/// What a crew shares.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    words: &'a [AtomicU64],
    /// Whether it is to be made; otherwise it is there.
    pub(crate) make: bool,
}

impl<'a> Place<'a> {
    pub(crate) fn word(&self, at: usize) -> &'a AtomicU64 {
        &self.words[at]
    }

    /// Where a `T` is, `at` words in, which is as aligned as a word.
    pub(crate) fn pointer<T>(&self, at: usize) -> *mut T {
        const { assert!(align_of::<T>() <= align_of::<u64>()) };
        let words = size_of::<T>().div_ceil(size_of::<u64>());
        self.words[at..at + words].as_ptr().cast_mut().cast()
    }
}

impl Hand {
    pub(crate) fn task(&self) -> Task {
        self.role.task
    }

    pub(crate) fn way(&self) -> Way {
        self.role.way
    }

    pub(crate) fn number(&self) -> usize {
        self.role.number
    }

    pub(crate) fn place(&self) -> Place<'_> {
        let words = self.ground.words(self.role.place, PLACE_WORDS);
        Place { words, make: self.role.make == 1 }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.ground.directory()
    }

    /// A name that only this crew's objects have.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{}-{what}-{}", name_of(&self.role.task), self.role.place)
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        self.ground.word(self.role.words + at)
    }

    /// Says that it is there, and then does `operation` when and as often as it is told.
    pub(crate) fn obey(&self, mut operation: impl FnMut()) {
        let (command, stop, counter) = (self.word(COMMAND), self.word(STOP), self.word(COUNT));
        let (mut last, mut count) = (0, 0);
        self.answer(ENDED);
        loop {
            while command.load(Ordering::Acquire) == last {
                futex::wait(command, last);
            }
            last = command.load(Ordering::Acquire);
            if last & 0xff == LEAVE {
                return;
            }
            let rounds = self.word(ROUNDS).load(Ordering::Relaxed);
            // Nobody is woken by it: who commands would disturb what it measures.
            self.word(ANSWER).store(last, Ordering::Release);
            let used_before_ns = used_ns();
            self.word(BEGAN_NS).store(now_ns(), Ordering::Relaxed);
            if rounds == 0 {
                while stop.load(Ordering::Relaxed) == 0 {
                    operation();
                    count += 1;
                    counter.store(count, Ordering::Relaxed);
                }
            }
            for _ in 0..rounds {
                operation();
            }
            self.word(ENDED_NS).store(now_ns(), Ordering::Relaxed);
            self.word(USED_NS).store(used_ns() - used_before_ns, Ordering::Relaxed);
            self.answer(last | ENDED);
        }
    }

    fn answer(&self, answer: u64) {
        self.word(ANSWER).store(answer, Ordering::Release);
        futex::wake_one(self.word(ANSWER));
    }
}

/// The time, by the clock that all processes share.
pub(crate) fn now_ns() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

/// How long this thread has been on a processor, in the kernel or not.
fn used_ns() -> u64 {
    nanoseconds(ClockId::ThreadCPUTime)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Adds one to what only the holder of a lock changes.
pub(crate) fn add_one(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// What is done in a long section: each step waits for the one before.
pub(crate) fn work_long() {
    let mut number = black_box(1_u64);
    for _ in 0..LONG_STEPS {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
    }
    black_box(number);
}
