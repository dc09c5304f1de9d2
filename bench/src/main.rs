//! Timing side by side: the bare floor, shmkit, and the naive way.
//!
//! ```text
//! this process, on processor 0          the other side, itself again, on processor 1 or 0
//! floor  - subject - floor  - ...       does its half of each
//! ```
//!
//! Virtual machines change their pace within seconds. So every sample of a subject has a sample of
//! its floor right before and right after it, and its ratio is taken to the mean of these two.

#![expect(unsafe_code, reason = "bare copies and futexes, to compare with")]

mod attach;
mod floors;
mod futex;
mod ground;
mod latest;
mod naive;
mod readers;
mod report;
mod sight;
mod sizes;

use clap::{Parser, Subcommand, ValueEnum};

use ground::{Ground, Role};
use report::Report;

/// Measures shmkit beside the bare floor and the naive way, in two pinned processes.
#[derive(Parser)]
#[command(name = "bench", version)]
struct Arguments {
    /// What to measure: everything, if not given.
    #[arg(value_enum)]
    suite: Option<Suite>,
    /// A line of JSON for each case.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    other_side: Option<OtherSide>,
}

#[derive(Subcommand)]
enum OtherSide {
    /// The other process of a case. Started by this program.
    #[command(hide = true)]
    Role(Role),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// One line, some bytes, a bare futex, back and forth.
    Floor,
    /// Getting a value that nobody changes, and one that is changed without pause.
    Get,
    /// Setting a value.
    Set,
    /// From one process's set to the other's sight and back, awake.
    Sight,
    /// The same, both asleep: on two processors, and on one.
    Asleep,
    /// 1 to 16 readers.
    Readers,
    /// Opening an object.
    Attach,
    /// A string copied into a mapping, and a reader that spins.
    Naive,
}

fn main() {
    let arguments = Arguments::parse();
    if let Some(OtherSide::Role(role)) = arguments.other_side {
        return role.play();
    }
    let suites = Suite::value_variants().iter();
    let mut report = Report::new(arguments.json);
    for suite in suites.filter(|suite| arguments.suite.is_none_or(|only| only == **suite)) {
        let ground = Ground::new();
        match suite {
            Suite::Floor => floors::run(&ground, &mut report),
            Suite::Get => latest::run_get(&ground, &mut report),
            Suite::Set => latest::run_set(&ground, &mut report),
            Suite::Sight => sight::run_awake(&ground, &mut report),
            Suite::Asleep => sight::run_asleep(&ground, &mut report),
            Suite::Readers => readers::run(&ground, &mut report),
            Suite::Attach => attach::run(&ground, &mut report),
            Suite::Naive => naive::run(&ground, &mut report),
        }
    }
}
