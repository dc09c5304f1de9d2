//! `shm sem`: semaphores.

use shmkit::Kind;
use shmkit::sync::Semaphore;

use crate::Global;
use crate::making::Making;
use crate::patience::Patience;
use crate::primitive::{self, ShowArgs};
use crate::running::{Run, end};

/// Take and give permits of a semaphore
///
/// A permit that was acquired comes back when its holder ends, however it ends: as a place in a
/// pool. A permit that was consumed does not: as a signal, given by post.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm sem create solver/licences 3
  shm sem acquire solver/licences -- ./solve model.json
  shm sem consume jobs/ready --timeout 10s
  shm sem post jobs/ready")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a semaphore with so many permits
    Create {
        /// The name of the semaphore
        name: String,
        /// How many permits there are at first
        permits: u32,
        #[command(flatten)]
        making: Making,
    },
    /// Run a command while holding a permit, which then comes back
    ///
    /// It comes back as well when this process is killed; the command is killed with it (but on
    /// macOS).
    /// Exit codes and signals are as with `shm lock`.
    Acquire {
        /// The name of the semaphore
        name: String,
        #[command(flatten)]
        patience: Patience,
        #[command(flatten)]
        run: Run,
    },
    /// Take a permit for good, once there is one
    Consume {
        /// The name of the semaphore
        name: String,
        #[command(flatten)]
        patience: Patience,
    },
    /// Give new permits
    Post {
        /// The name of the semaphore
        name: String,
        /// How many
        #[arg(value_name = "N", default_value_t = 1)]
        permits: u32,
    },
    /// Show how many permits there are to be had, and who holds others
    Show(ShowArgs),
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    match &args.command {
        Command::Create { name, permits, making } => {
            making.make::<Semaphore>(name, *permits, global)
        }
        Command::Acquire { name, patience, run } => acquire(name, patience, run, global),
        Command::Consume { name, patience } => {
            let semaphore = primitive::open::<Semaphore>(name, global)?;
            Ok(match patience.limit() {
                None => semaphore.consume(),
                Some(limit) => semaphore.consume_timeout(limit),
            }?)
        }
        Command::Post { name, permits } => {
            Ok(primitive::open::<Semaphore>(name, global)?.post(*permits)?)
        }
        Command::Show(args) => primitive::show(args, Kind::Semaphore, global).map(drop),
    }
}

fn acquire(name: &str, patience: &Patience, run: &Run, global: &Global) -> anyhow::Result<()> {
    run.check_given(
        "a permit comes back when its holder ends: give a command to be run with it, \
         shm sem acquire NAME -- COMMAND, or take one for good by shm sem consume NAME",
    )?;
    let semaphore =
        primitive::open::<Semaphore>(name, global).map_err(|error| run.not_run(&error))?;
    let permit = match patience.limit() {
        None => semaphore.acquire(),
        Some(limit) => semaphore.acquire_timeout(limit),
    };
    let permit = permit.map_err(|error| run.not_run(&error.into()))?;
    let code = run.run(|_| {})?;
    drop(permit);
    end(code)
}
