//! `shm event`.

use std::time::Duration;

use shmkit::sync::{Event, Reset};
use shmkit::{Kind, Object};

use crate::create_args::CreateArgs;
use crate::exit::{self, Failure};
use crate::global::Global;
use crate::presence_args::PresenceArgs;
use crate::show::{ShowArgs, show};
use crate::timeout_args::TimeLimit;
use crate::units;

/// Set, reset and wait for an event
///
/// While an event is set, every waiter continues. An event that was created with --auto is reset
/// by the first waiter that continues.
///
/// While set, reset or wait runs, it is one of the --participants of the event. If there are that
/// many already, it waits until one ends: wait up to its --timeout, the others up to 1 s.
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
    /// Create an event
    Create {
        /// The name of the event
        name: String,
        /// Reset it automatically when a waiter continues
        #[arg(long)]
        auto: bool,
        /// Set it from the start
        #[arg(long)]
        set: bool,
        #[command(flatten)]
        create_args: CreateArgs,
    },
    /// Set an event: all waiters continue, or one if the reset is automatic
    Set {
        /// The name of the event
        name: String,
    },
    /// Reset an event: later waiters wait until it is set again
    Reset {
        /// The name of the event
        name: String,
    },
    /// Wait until an event is set
    Wait {
        /// The name of the event
        name: String,
        /// Wait at most this long, for example 500ms, 2s or 2 (seconds) [default: no limit]
        #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
        timeout: Option<Duration>,
        #[command(flatten)]
        presence: PresenceArgs,
    },
    /// Show whether an event is set, with exit code 0 if it is and 8 if not
    Show(ShowArgs),
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    match &args.command {
        Command::Create { name, auto, set, create_args } => {
            let reset = if *auto { Reset::Automatic } else { Reset::Manual };
            let options = Object::<Event>::options().initially_set(*set);
            create_args.create_as(options, name, reset, global)
        }
        Command::Set { name } => Ok(global.open::<Event>(name, TimeLimit::brief())?.set()?),
        Command::Reset { name } => Ok(global.open::<Event>(name, TimeLimit::brief())?.reset()?),
        Command::Wait { name, timeout, presence } => {
            let limit = TimeLimit::new(*timeout);
            presence.wait(name, limit, global)?;
            let event = global.open::<Event>(name, limit)?;
            let waiting = format!("until \"{name}\" is set");
            Ok(limit.attempt_as_rule(&waiting, |left| {
                left.map_or_else(|| event.wait(), |left| event.wait_timeout(left))
            })?)
        }
        Command::Show(args) => match show(args, Kind::Event, global)?.flag("set") {
            Some(false) => Err(Failure::Reported(exit::NOT_NOW).into()),
            _ => Ok(()),
        },
    }
}
