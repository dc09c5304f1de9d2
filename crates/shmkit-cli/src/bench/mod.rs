//! `shm bench`: the mechanisms of the field and those of shmkit side by side, on this machine.
//!
//! ```text
//!  this command ── starts, for each case in each round ──> first process, second process
//!       <───────────── what they measured ─────────────────        <─ messages ─>
//! ```
//!
//! | file | what is in it |
//! |---|---|
//! | `mechanism`, `mechanisms` | what a mechanism is; all of them |
//! | `payload`, `side`, `stream` | messages, and what both processes do with them |
//! | `worker` | one of the two processes |
//! | `children`, `pair`, `leftovers` | starting two processes, following, ending, and removing |
//! | `plan` | which cases are measured, in which order, for how long |
//! | `results`, `text`, `document`, `picture` | the results: as tables, as JSON, as an SVG |
//! | `machine`, `system` | what the comparison needs from a system |

mod children;
mod document;
mod leftovers;
mod machine;
mod mechanism;
mod mechanisms;
mod pair;
mod payload;
mod picture;
mod plan;
mod progress;
mod results;
mod side;
mod sizes;
mod stream;
mod system;
mod text;
mod wait;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use self::children::Children;
use self::machine::Machine;
use self::plan::Plan;
use self::worker::Worker;
use crate::exit::Failure;
use crate::global::Global;
use crate::output;

/// Compare the mechanisms of the system with those of shmkit
///
/// Two processes pass messages: pipes, FIFOs, sockets, message queues, shared memory with
/// semaphores, signals or eventfd, and the channels of shmkit. Each case runs once in each
/// round, in two new processes: so a busy moment of the machine disturbs all of them alike.
///
/// `-` in a table stands for what a mechanism cannot do at a size; the reasons are below the
/// tables, and so is what the system refuses here.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm bench
  shm bench --only pipe,topic --sizes 64,4K
  shm bench --plot bench.svg --json > bench.json")]
pub(crate) struct Args {
    /// Measure only mechanisms with one of these words in their names: `pipe`, `unix`, `shmkit`
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    only: Vec<String>,
    /// The sizes of messages: of 8, 64, 256, 1K, 4K, 16K, 64K, 256K and 1M
    #[arg(long, value_name = "SIZES", value_delimiter = ',', default_value = sizes::DEFAULT)]
    #[arg(value_parser = plan::size)]
    sizes: Vec<usize>,
    /// Measure for about this many seconds in all; starting the processes takes more
    #[arg(long, value_name = "NUMBER", default_value = "40", value_parser = plan::seconds)]
    seconds: Duration,
    /// Measure each case in this many rounds, 1 to 1000
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = plan::rounds())]
    rounds: u32,
    /// Print a JSON object: `machine`, `results`, `skipped`
    #[arg(long)]
    json: bool,
    /// Write a picture of the medians and of the throughput, in SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// Runs this process as one of the two, if a comparison has started it.
pub(crate) fn run_as_part() -> Option<anyhow::Result<()>> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let is_part = arguments.peek()? == worker::PART_OF_BENCH;
    is_part.then(|| {
        let args = worker::Args::parse_from(arguments);
        let found = mechanisms::all().into_iter().find(|it| it.name == args.mechanism);
        let mechanism = found.context("no mechanism has this name")?;
        (mechanism.run)(&Worker::new(args, mechanism.keeps_all)?)
    })
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let directory = global.directory();
    let machine = Machine::new(&directory);
    let all = mechanisms::all();
    let time = (args.rounds, args.seconds);
    let plan = Plan::new(all, &args.only, &args.sizes, time, &machine)?;
    let children = Children::new(&directory)?;
    let rows = plan.measure(&children, &machine)?;
    drop(children);
    if let Some(path) = &args.plot {
        let picture = picture::svg(&machine.text(), &rows);
        std::fs::write(path, picture)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    match args.json {
        true => output::line(document::document(&machine, &rows, args.rounds, plan.during()))?,
        false => output::line(text::text(&machine, &rows))?,
    }
    match rows.iter().flat_map(|row| &row.cells).any(|cell| cell.cannot.is_none()) {
        true => Ok(()),
        false => Err(Failure::Unsupported("nothing could be measured".into()).into()),
    }
}
