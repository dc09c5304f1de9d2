//! Measures shmkit beside other libraries that pass messages between processes.
//!
//! ```text
//! targets           how good the figures must be
//! suites            what is measured
//! peers             the libraries, each used as its own documentation recommends
//! fan               what a peer does: one publisher, many subscribers
//! link              what a peer does: two ends, messages of any size
//! target queue boost messages ring workloads objects floors harness      from `bench`
//! ```
//!
//! Each file imports only from the lines below it. A ratio `X / shmkit` is above 1 where shmkit is
//! faster. This is a package outside of the workspace, and not a feature of `bench`: the lock file
//! of the workspace has all features, and iceoryx2 and ipc-channel would triple it.

#![expect(unsafe_code, reason = "bare copies and futexes, to compare with")]

#[path = "../../src/peers/boost.rs"]
mod boost;
mod fan;
#[path = "../../src/floors.rs"]
#[allow(dead_code, reason = "`bench` uses the rest")]
mod floors;
#[path = "../../src/harness/mod.rs"]
#[allow(dead_code, unused_macros, unused_imports, reason = "`bench` uses the rest")]
mod harness;
mod link;
#[path = "../../src/peers/shmkit/messages.rs"]
mod messages;
#[path = "../../src/objects.rs"]
#[allow(dead_code, reason = "`bench` uses the rest")]
mod objects;
mod peers;
#[path = "../../src/suites/queue.rs"]
mod queue;
#[path = "../../src/peers/ring.rs"]
mod ring;
mod suites;
#[path = "../../src/targets/target.rs"]
#[allow(dead_code, reason = "`bench` uses the rest")]
mod target;
mod targets;
#[path = "../../src/workloads/mod.rs"]
#[allow(dead_code, reason = "`bench` uses the rest")]
mod workloads;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use harness::report::Report;
use harness::worker::{Assignment, Workloads};
use harness::workers::Harness;

const WORKLOADS: Workloads =
    &[peers::WORKLOADS, boost::WORKLOADS, messages::WORKLOADS, ring::WORKLOADS];

/// Measure shmkit beside iceoryx2, Boost, crossbar, shaq, ipc-channel, Cloudtoid and rtrb
///
/// Workers are pinned to processors 0 and 1. Each figure is a median, with its minimum and maximum,
/// the median of its floor, and the median of the ratios to it. A case is marked if its floor moved
/// by more than 20 % meanwhile. The run ends with the targets that hold or are missed.
#[derive(Parser)]
#[command(name = "bench-peers")]
struct Arguments {
    /// The suite to run; all suites by default
    #[arg(value_enum)]
    suite: Option<Suite>,
    /// Measure only cases whose names contain this text
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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Send a message of 64 bytes there and back, written and read on both sides, which poll
    RoundTrip,
    /// Send a message of 1 MiB there and back without a copy; its first 64 bytes are touched
    Loaned,
    /// Send a message of 64 bytes there and back; both sides sleep, on two cores and on one
    Asleep,
    /// Send messages of 64 bytes one way, none of which is lost; both sides poll
    OneWay,
    /// Send messages of 64 KiB one way, copied in and out
    Copied,
    /// Publish messages of 64 bytes to 1, 4, 16 and 64 subscribers that keep up
    FanOut,
    /// Send messages of 64 bytes through a queue, as sent and by priority
    Queue,
}

impl Suite {
    fn run(self, wanted: &str, report: &mut Report) -> io::Result<()> {
        let run = match self {
            Self::RoundTrip => suites::round_trip,
            Self::Loaned => suites::loaned,
            Self::Asleep => suites::asleep,
            Self::OneWay => suites::one_way,
            Self::Copied => suites::copied,
            Self::FanOut => suites::fan_out,
            Self::Queue => queue::run,
        };
        let name = self.to_possible_value().expect("no suite is hidden");
        report.begin(name.get_name())?;
        run(&Harness::new(WORKLOADS, wanted), report)
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let mut report = Report::new(arguments.json);
    peers::tell(arguments.json)?;
    for suite in Suite::value_variants() {
        if arguments.suite.is_none_or(|it| it == *suite) {
            suite.run(&arguments.case, &mut report)?;
        }
    }
    targets::tell(&mut report)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(WorkerCommand::Worker(assignment)) = arguments.worker {
        assignment.run_process(WORKLOADS);
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the output has closed it, and wants no more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-peers: {error}");
            ExitCode::FAILURE
        }
    }
}
