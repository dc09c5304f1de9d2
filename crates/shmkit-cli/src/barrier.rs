//! `shm barrier`.

use std::time::Duration;

use shmkit::Kind;
use shmkit::sync::Barrier;

use crate::create_args::CreateArgs;
use crate::global::Global;
use crate::presence_args::PresenceArgs;
use crate::show::{ShowArgs, show};
use crate::timeout_args::TimeLimit;
use crate::{output, units};

/// Wait at a barrier until all parties have arrived
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
    /// Create a barrier
    Create {
        /// The name of the barrier
        name: String,
        /// The number of parties, 1 to 1024
        parties: u32,
        #[command(flatten)]
        create_args: CreateArgs,
    },
    /// Wait until all parties have arrived
    ///
    /// One of the parties prints `leader`, the others print nothing. If a party dies before all
    /// have arrived, also by ctrl-c or a signal, the parties that wait end with exit code 9. The
    /// next wait begins a new round.
    Wait {
        /// The name of the barrier
        name: String,
        /// Wait at most this long, then leave: 500ms, 2s or 2 (seconds) [default: no limit]
        #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
        timeout: Option<Duration>,
        #[command(flatten)]
        presence: PresenceArgs,
    },
    /// Abort a barrier: all waits end with exit code 9, also later ones, until it is reset
    Abort {
        /// The name of the barrier
        name: String,
    },
    /// Begin a new round, also after an abort: parties that wait end with exit code 9
    Reset {
        /// The name of the barrier
        name: String,
    },
    /// Show how many parties have arrived, and which processes they are
    Show(ShowArgs),
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    match &args.command {
        Command::Create { name, parties, create_args } => {
            create_args.create::<Barrier>(name, *parties, global)
        }
        Command::Wait { name, timeout, presence } => wait(name, *timeout, presence, global),
        Command::Abort { name } => Ok(global.open::<Barrier>(name, TimeLimit::brief())?.abort()?),
        Command::Reset { name } => Ok(global.open::<Barrier>(name, TimeLimit::brief())?.reset()?),
        Command::Show(args) => show(args, Kind::Barrier, global).map(drop),
    }
}

fn wait(
    name: &str,
    timeout: Option<Duration>,
    presence: &PresenceArgs,
    global: &Global,
) -> anyhow::Result<()> {
    let limit = TimeLimit::new(timeout);
    presence.wait(name, limit, global)?;
    let barrier = global.open::<Barrier>(name, limit)?;
    let mut party = barrier.join()?;
    let waiting = format!("at \"{name}\" until all parties have arrived");
    let met = limit.attempt_as_rule(&waiting, |left| match left {
        None => party.wait(),
        Some(left) => party.wait_timeout(left),
    });
    drop(party);
    if met?.is_leader() {
        output::line("leader")?;
    }
    Ok(())
}
