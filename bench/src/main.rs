//! Timing side by side: the bare floor, shmkit, and the naive way.
//!
//! ```text
//! this process, on processor 0          the other side, itself again, on processor 1 or 0
//! floor  - subject - floor  - ...       does its half of each
//! ```
//!
//! Where more than two take part, or the two are not this program, each is a hand of a `crew`.
//!
//! Virtual machines change their pace within seconds. So every sample of a subject has a sample of
//! its floor right before and right after it, and its ratio is taken to the mean of these two.

#![expect(unsafe_code, reason = "bare copies and futexes, to compare with")]

mod attach;
mod crew;
mod floors;
mod futex;
mod ground;
mod hand;
mod latest;
mod naive;
mod peers;
mod readers;
mod report;
mod sight;
mod sizes;
mod sync;

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
    /// One of several that lock or wait. Started by this program.
    #[command(hide = true)]
    Hand(hand::Role),
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
    /// Locking and unlocking what nobody else wants.
    Lock,
    /// A mutex that 2 or 8 want, for a moment or a microsecond.
    Contend,
    /// A lock that many read under and few write.
    Rwlock,
    /// Turns by a mutex and conditions: on two processors, and on one.
    Condition,
    /// Turns by semaphores: on two processors, and on one.
    Semaphore,
    /// Turns by events: on two processors, and on one.
    Event,
    /// From the kill of who holds something, or is awaited, until another goes on.
    Takeover,
    /// What waiting costs that lasts.
    Idle,
}

fn main() {
    let arguments = Arguments::parse();
    match arguments.other_side {
        Some(OtherSide::Role(role)) => return role.play(),
        Some(OtherSide::Hand(role)) => return role.play(),
        None => {}
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
            Suite::Lock => sync::lock::run(&ground, &mut report),
            Suite::Contend => sync::contend::run(&ground, &mut report),
            Suite::Rwlock => sync::contend::run_rw_lock(&ground, &mut report),
            Suite::Condition => sync::turns::run_condition(&ground, &mut report),
            Suite::Semaphore => sync::turns::run_semaphore(&ground, &mut report),
            Suite::Event => sync::turns::run_event(&ground, &mut report),
            Suite::Takeover => sync::takeover::run(&ground, &mut report),
            Suite::Idle => sync::idle::run(&ground, &mut report),
        }
    }
}
