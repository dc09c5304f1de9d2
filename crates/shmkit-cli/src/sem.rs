//! `shm sem`: semaphores.

use shmkit::Kind;
use shmkit::sync::Semaphore;

use crate::Global;
use crate::create_args::CreateArgs;
use crate::primitive::{self, ShowArgs};
use crate::running::{Run, end};
use crate::timeout_args::TimeoutArgs;

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
        create_args: CreateArgs,
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
        timeout_args: TimeoutArgs,
        #[command(flatten)]
        run: Run,
    },
    /// Take a permit for good, once there is one
    Consume {
        /// The name of the semaphore
        name: String,
        #[command(flatten)]
        timeout_args: TimeoutArgs,
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
        Command::Create { name, permits, create_args } => {
            create_args.make::<Semaphore>(name, *permits, global)
        }
        Command::Acquire { name, timeout_args, run } => acquire(name, timeout_args, run, global),
        Command::Consume { name, timeout_args } => {
            let semaphore = primitive::open::<Semaphore>(name, global)?;
            Ok(match timeout_args.limit() {
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

fn acquire(
    name: &str,
    timeout_args: &TimeoutArgs,
    run: &Run,
    global: &Global,
) -> anyhow::Result<()> {
    run.check_given(
        "a permit comes back when its holder ends: give a command to be run with it, \
         shm sem acquire NAME -- COMMAND, or take one for good by shm sem consume NAME",
    )?;
    let semaphore =
        primitive::open::<Semaphore>(name, global).map_err(|error| run.not_run(&error))?;
    let permit = match timeout_args.limit() {
        None => semaphore.acquire(),
        Some(limit) => semaphore.acquire_timeout(limit),
    };
    let permit = permit.map_err(|error| run.not_run(&error.into()))?;
    let code = run.run(|_| {})?;
    drop(permit);
    end(code)
}
