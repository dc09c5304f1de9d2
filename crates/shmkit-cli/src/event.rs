//! `shm event`.

use std::time::Duration;

use shmkit::Kind;
use shmkit::inspect::PrimitiveState;
use shmkit::sync::{Event, Reset};

use crate::create_args::CreateArgs;
use crate::primitive::{self, ShowArgs};
use crate::{Global, exit, units};

/// Set an event, or wait for one
///
/// An event that is set lets all go on who wait for it, until it is reset. One that was made with
/// --auto lets a single one go on, and is reset by that.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm event create camera/ready
  shm event wait camera/ready --timeout 10s && ./record
  shm event set camera/ready
  shm event show camera/ready >/dev/null && echo ready")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make an event, which is not set
    Create {
        /// The name of the event
        name: String,
        /// Reset it automatically: it is taken by one who waits
        #[arg(long)]
        auto: bool,
        #[command(flatten)]
        create_args: CreateArgs,
    },
    /// Set it: let all go on who wait, or one, if it is reset automatically
    Set {
        /// The name of the event
        name: String,
    },
    /// Reset it: who waits from now on waits until it is set again
    Reset {
        /// The name of the event
        name: String,
    },
    /// Wait until it is set
    Wait {
        /// The name of the event
        name: String,
        /// How long to wait at the most; without it, as long as it takes
        #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
        timeout: Option<Duration>,
    },
    /// Show whether it is set: the exit code is 0 if it is, and 8 if not
    Show(ShowArgs),
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    match &args.command {
        Command::Create { name, auto, create_args } => {
            let reset = if *auto { Reset::Automatic } else { Reset::Manual };
            create_args.make::<Event>(name, reset, global)
        }
        Command::Set { name } => Ok(primitive::open::<Event>(name, global)?.set()?),
        Command::Reset { name } => Ok(primitive::open::<Event>(name, global)?.reset()?),
        Command::Wait { name, timeout: None } => {
            Ok(primitive::open::<Event>(name, global)?.wait()?)
        }
        Command::Wait { name, timeout: Some(limit) } => {
            Ok(primitive::open::<Event>(name, global)?.wait_timeout(*limit)?)
        }
        Command::Show(args) => match primitive::show(args, Kind::Event, global)? {
            PrimitiveState::Event { set: false, .. } => Err(exit::Told(exit::NOT_NOW).into()),
            _ => Ok(()),
        },
    }
}
