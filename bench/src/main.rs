//! Measures shmkit beside the bare floors, its peers, and the naive way.
//!
//! ```text
//! targets              how good the figures must be
//! suites               what is measured
//! floors peers         what it is measured beside
//! workloads objects    what workers do with locks; how shmkit's objects are opened
//! harness              workers, samples, reports
//! ```
//!
//! The tables in the README are made from this output. A single figure there is the middle one of
//! the medians of three runs (of one run for shares and idle waiters, and on the second machine); a
//! range covers the medians of all runs and of all cases of its row. A ratio is the middle one of
//! the ratios of the runs, so it can differ from the quotient of the figures beside it.
//!
//! Each file imports only from the lines below it. This file passes the table of workloads to the
//! harness, which starts this program again for each worker.

#![expect(unsafe_code, reason = "bare copies, futexes and POSIX locks, to compare with")]

mod floors;
mod harness;
mod objects;
mod peers;
mod suites;
mod targets;
mod workloads;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use harness::report::Report;
use harness::worker::{Assignment, Workloads};
use harness::workers::Harness;
use peers::{bare_futex, boost, pthread, ring, shmkit, threads};
use suites::{
    attach, attempts, call, contended, fairness, floor, get, holders, idle, lock, naive, pipe,
    queue, readers, set, sight, takeover, timeouts, topic, turns,
};

const WORKLOADS: Workloads = &[
    floors::WORKLOADS,
    get::WORKLOADS,
    sight::WORKLOADS,
    topic::WORKLOADS,
    call::WORKLOADS,
    readers::WORKLOADS,
    pipe::WORKLOADS,
    naive::WORKLOADS,
    shmkit::locking::WORKLOADS,
    shmkit::takeover::WORKLOADS,
    shmkit::timeouts::WORKLOADS,
    shmkit::idle::WORKLOADS,
    shmkit::messages::WORKLOADS,
    ring::WORKLOADS,
    threads::WORKLOADS,
    bare_futex::WORKLOADS,
    pthread::mutex::WORKLOADS,
    pthread::rwlock::WORKLOADS,
    pthread::turns::WORKLOADS,
    boost::WORKLOADS,
];

/// Measure shmkit beside bare memory, futexes, POSIX, std and Boost
///
/// Workers are pinned to processors 0 and 1, except in cases named "free". Each figure is a median,
/// with its minimum and maximum, the median of its floor, and the median of the ratios to it. A
/// case is marked if its floor moved by more than 20 % meanwhile. The run ends with the targets
/// that hold or are missed.
#[derive(Parser)]
#[command(name = "bench", version)]
struct Arguments {
    /// The suite to run; all suites by default
    #[arg(value_enum)]
    suite: Option<Suite>,
    /// Measure only cases whose names contain this text; the suites from floor to naive ignore it
    #[arg(long, default_value = "", hide_default_value = true)]
    case: String,
    /// Print a line of JSON for each case
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    worker: Option<WorkerCommand>,
}

#[derive(Subcommand)]
enum WorkerCommand {
    /// Run a workload on the controller's commands. Only this program uses it
    #[command(hide = true)]
    Worker(Assignment),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Send a cache line, bytes and a futex wake-up to another process and back
    Floor,
    /// Get a `Latest` value without a writer, and under a writer that never pauses
    Get,
    /// Set a `Latest` value without a reader
    Set,
    /// Set a `Latest` value until another process sees it, and back; both spin
    Sight,
    /// The same with both asleep, on two processors and on one
    Asleep,
    /// Send messages of a `Topic` there and back, and one way; both sides spin
    Topic,
    /// Send requests of a `Call` and answer them: both sides spin, or sleep
    Call,
    /// Set and get a `Latest` value while 1 to 16 other processes get it
    Readers,
    /// Send bytes through a pipe, one way and there and back, beside a FIFO
    Pipe,
    /// Open an existing object
    Attach,
    /// Copy a string into a mapping while a reader spins, and count torn values
    Naive,
    /// Acquire and release locks without contention
    Lock,
    /// Acquire a mutex from 2 and 8 workers, for short and for long sections
    Contend,
    /// Acquire a mutex from 2 to 8 workers for seconds: even shares, and the longest waits
    Fair,
    /// Acquire a read-write lock from 8 workers (1, 4 or 7 write): shares, and the longest waits
    FairRwlock,
    /// Acquire a semaphore of one permit and of two from 8 workers: shares, and the longest waits
    FairSemaphore,
    /// Wait for one condition in 8 workers, of which one is notified at a time
    FairCondition,
    /// Acquire a lock mostly for reading, from 2 workers
    Rwlock,
    /// Take turns by a mutex and conditions, on two processors and on one
    Condition,
    /// Take turns by semaphores, on two processors and on one
    Semaphore,
    /// Take turns by events, on two processors and on one
    Event,
    /// Send messages of 64 bytes from one process to another
    Queue,
    /// Kill a holder while 1, 8 or 64 processes wait, and measure how long until one continues
    Takeover,
    /// Acquire a mutex beside two processes that attempt to acquire it all the time
    Attempts,
    /// Wait with a timeout, again and again, in 100 processes while another one holds
    Timeouts,
    /// Wait for seconds, and measure the processor time of 1 waiter and of 800
    Idle,
    /// Wait beside 1,023 holders, and measure the processor time of the waiter
    Holders,
}

impl Suite {
    fn run(self, wanted: &str, report: &mut Report) -> io::Result<()> {
        let run = match self {
            Self::Floor => floor::run,
            Self::Get => get::run,
            Self::Set => set::run,
            Self::Sight => sight::run_awake,
            Self::Asleep => sight::run_asleep,
            Self::Topic => topic::run,
            Self::Call => call::run,
            Self::Readers => readers::run,
            Self::Pipe => pipe::run,
            Self::Attach => attach::run,
            Self::Naive => naive::run,
            Self::Lock => lock::run,
            Self::Contend => contended::run_mutex,
            Self::Fair => fairness::mutex::run,
            Self::FairRwlock => fairness::rwlock::run,
            Self::FairSemaphore => fairness::semaphore::run,
            Self::FairCondition => fairness::condition::run,
            Self::Rwlock => contended::run_rw_lock,
            Self::Condition => turns::run_condition,
            Self::Semaphore => turns::run_semaphore,
            Self::Event => turns::run_event,
            Self::Queue => queue::run,
            Self::Takeover => takeover::run,
            Self::Attempts => attempts::run,
            Self::Timeouts => timeouts::run,
            Self::Idle => idle::run,
            Self::Holders => holders::run,
        };
        let name = self.to_possible_value().expect("no suite is hidden");
        report.begin(name.get_name())?;
        run(&Harness::new(WORKLOADS, wanted), report)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(WorkerCommand::Worker(assignment)) = arguments.worker {
        assignment.run_process(WORKLOADS);
        return ExitCode::SUCCESS;
    }
    let suites = Suite::value_variants().iter();
    let mut chosen = suites.filter(|it| arguments.suite.is_none_or(|suite| suite == **it));
    let mut report = Report::new(arguments.json);
    let measured = chosen.try_for_each(|suite| suite.run(&arguments.case, &mut report));
    match measured.and_then(|()| targets::tell(&mut report, arguments.case.is_empty())) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the output has closed it, and wants no more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
