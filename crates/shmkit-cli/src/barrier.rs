//! `shm barrier`.

use std::time::Duration;

use shmkit::Kind;
use shmkit::sync::Barrier;

use crate::create_args::CreateArgs;
use crate::primitive::{self, ShowArgs};
use crate::{Global, output, units};

/// Meet others at a barrier: none goes on before all have come
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm barrier create simulation/step 4
  ./prepare && shm barrier wait simulation/step && ./simulate")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a barrier where so many parties meet
    Create {
        /// The name of the barrier
        name: String,
        /// How many parties meet: 1 to 1024
        parties: u32,
        #[command(flatten)]
        create_args: CreateArgs,
    },
    /// Come, wait until all have come, and leave
    ///
    /// One of all that meet prints `leader`, the others nothing. Where one dies that had joined and
    /// not come, those who wait are told, with exit code 9; waiting again begins a new round.
    Wait {
        /// The name of the barrier
        name: String,
        /// How long to wait at the most, and then leave; without it, as long as it takes
        #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
        timeout: Option<Duration>,
    },
    /// Show how many have come, and who they are
    Show(ShowArgs),
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    match &args.command {
        Command::Create { name, parties, create_args } => {
            create_args.make::<Barrier>(name, *parties, global)
        }
        Command::Wait { name, timeout } => wait(name, *timeout, global),
        Command::Show(args) => primitive::show(args, Kind::Barrier, global).map(drop),
    }
}

fn wait(name: &str, timeout: Option<Duration>, global: &Global) -> anyhow::Result<()> {
    let barrier = primitive::open::<Barrier>(name, global)?;
    let mut party = barrier.join()?;
    let met = match timeout {
        None => party.wait(),
        Some(limit) => party.wait_timeout(limit),
    };
    drop(party);
    if met?.is_leader() {
        output::line("leader")?;
    }
    Ok(())
}
