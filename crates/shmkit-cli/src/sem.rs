//! `shm sem`.

use shmkit::Kind;
use shmkit::sync::{BoundedSemaphore, Permits, Semaphore};

use crate::command_args::{CommandArgs, end};
use crate::create_args::CreateArgs;
use crate::global::Global;
use crate::presence_args::PresenceArgs;
use crate::show::{ShowArgs, show};
use crate::timeout_args::{TimeLimit, TimeoutArgs};

/// Acquire, consume and post permits of a semaphore
///
/// An acquired permit is released when its holder ends, even if it is killed: use this to limit how
/// many processes do something at a time. A consumed permit is not released: use this, together
/// with post, as a signal.
///
/// While acquire, consume or post runs, it is one of the --participants of the semaphore. If there
/// are that many already, it waits until one ends: post up to 1 s, the others up to --timeout.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm sem create solver/licences 3
  shm sem acquire solver/licences -- ./solve model.json
  shm sem consume jobs/ready --timeout 10s
  shm sem post jobs/ready
  shm sem create config/changed 0 --max 1")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Create a semaphore
    Create {
        /// The name of the semaphore
        name: String,
        /// The initial number of permits
        permits: u32,
        /// The most permits that can be available and held: post fails beyond it
        #[arg(long, value_name = "N")]
        max: Option<u32>,
        #[command(flatten)]
        create_args: CreateArgs,
    },
    /// Run a command while holding a permit
    ///
    /// The permit is released when the command ends. It is also released when this process is
    /// killed; then the command is killed, too (not on macOS). Exit codes and signals are those of
    /// `shm lock`.
    Acquire {
        /// The name of the semaphore
        name: String,
        #[command(flatten)]
        timeout_args: TimeoutArgs,
        #[command(flatten)]
        presence: PresenceArgs,
        #[command(flatten)]
        command: CommandArgs,
    },
    /// Wait until a permit is available, and consume it: it is not released again
    Consume {
        /// The name of the semaphore
        name: String,
        #[command(flatten)]
        timeout_args: TimeoutArgs,
        #[command(flatten)]
        presence: PresenceArgs,
    },
    /// Add permits
    Post {
        /// The name of the semaphore
        name: String,
        /// The number of permits to add
        #[arg(value_name = "N", default_value_t = 1)]
        permits: u32,
    },
    /// Show how many permits are available, and which processes hold permits
    Show(ShowArgs),
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    match &args.command {
        Command::Create { name, permits, max: None, create_args } => {
            create_args.create::<Semaphore>(name, *permits, global)
        }
        Command::Create { name, permits, max: Some(max), create_args } => {
            let permits = Permits { initial: *permits, max: *max };
            create_args.create::<BoundedSemaphore>(name, permits, global)
        }
        Command::Acquire { name, timeout_args, presence, command } => {
            acquire(name, timeout_args.limit(), presence, command, global)
        }
        Command::Consume { name, timeout_args, presence } => {
            let limit = timeout_args.limit();
            presence.wait(name, limit, global)?;
            let semaphore = global.open::<Semaphore>(name, limit)?;
            let waiting = format!("until \"{name}\" has a permit");
            Ok(limit.attempt_as_rule(&waiting, |left| match left {
                None => semaphore.consume(),
                Some(left) => semaphore.consume_timeout(left),
            })?)
        }
        Command::Post { name, permits } => {
            global.open::<Semaphore>(name, TimeLimit::brief())?.post(*permits)?;
            Ok(())
        }
        Command::Show(args) => show(args, Kind::Semaphore, global).map(drop),
    }
}

fn acquire(
    name: &str,
    limit: TimeLimit,
    presence: &PresenceArgs,
    command: &CommandArgs,
    global: &Global,
) -> anyhow::Result<()> {
    command.check_present(
        "a permit is held while a command runs: write shm sem acquire NAME -- COMMAND, or \
         shm sem consume NAME to take one that is not released again",
    )?;
    let open = || -> anyhow::Result<_> {
        presence.wait(name, limit, global)?;
        global.open::<Semaphore>(name, limit)
    };
    let semaphore = open().map_err(|error| command.not_run(&error))?;
    let holders = "`shm sem show` names the holders";
    let waiting = || format!("to acquire a permit of \"{name}\": none is available; {holders}");
    let permit = limit.attempt_noting(
        |_| waiting(),
        |left| match left {
            None => semaphore.acquire(),
            Some(left) => semaphore.acquire_timeout(left),
        },
    );
    let permit = permit.map_err(|error| command.not_run(&error.into()))?;
    let code = command.run(|_| {})?;
    drop(permit);
    end(code)
}
