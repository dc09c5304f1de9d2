//! `shm lock`.

use shmkit::ErrorKind;
use shmkit::sync::{AnyLock, AnyLockGuard, NoData, named};

use crate::command_args::{CommandArgs, end};
use crate::create_args::{AccessArg, DEFAULT_PARTICIPANTS};
use crate::global::Global;
use crate::source::{self, acquire, or_dead};
use crate::timeout_args::{TimeLimit, TimeoutArgs};
use crate::{advice, output};

/// Set to 1 for the command if the lock is inconsistent.
const OWNER_DIED: &str = "SHMKIT_OWNER_DIED";

/// Run a command while holding a lock
///
/// The lock is a named mutex, reentrant mutex or rwlock of any program, with or without a value.
/// If no object has the name, the command creates an rwlock without a value, for up to 1024
/// processes at a time. It stays until `shm rm`. A lock that is removed before the command runs is
/// opened or created again.
///
/// This process holds the lock until the command ends, and forwards SIGTERM and SIGHUP to the
/// command. Ctrl-c reaches the command from the terminal. If this process is killed, the next
/// waiter gets the lock, and the command is killed, too (not on macOS). Processes that the command
/// has started continue without the lock (not on Windows). So end this process by SIGTERM and not
/// by SIGKILL, or let those processes acquire the lock themselves.
///
/// If a process died while it held the lock exclusively, the data may be half-changed. The command
/// is run nevertheless, with SHMKIT_OWNER_DIED=1 in its environment, and `shm` prints a message on
/// standard error. Every later holder gets the same notice until a process has repaired the data
/// and marked the lock consistent, for example by --mark-consistent.
///
/// The exit code is that of the command, or 128 plus the number of the signal that ended it. If the
/// command was not run, the exit code is 124 for a timeout, 126 or 127 for a command that cannot be
/// run or does not exist, and 125 for another error.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm lock backup -- tar -cf /backup/home.tar /home
  shm lock backup --timeout 2s -- ./backup || echo \"not now: $?\"
  shm lock robot/limits --shared -- ./report
  shm lock accounts --mark-consistent -- sh -c '[ -z \"$SHMKIT_OWNER_DIED\" ] || ./fix; ./book'")]
pub(crate) struct Args {
    /// The name of the lock
    name: String,
    /// Share the lock with other readers: only for an rwlock
    #[arg(long, short)]
    shared: bool,
    #[command(flatten)]
    timeout_args: TimeoutArgs,
    /// If the command succeeds, mark the lock consistent: the command has repaired the data
    #[arg(long, conflicts_with = "shared")]
    mark_consistent: bool,
    /// Fail if no object has the name
    #[arg(long)]
    no_create: bool,
    /// Allow these users to use a lock that is created
    #[arg(long, value_enum, default_value = "owner")]
    access: AccessArg,
    #[command(flatten)]
    command: CommandArgs,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let command = &args.command;
    command.check_present("a lock is held while a command runs: write shm lock NAME -- COMMAND")?;
    let limit = args.timeout_args.limit();
    loop {
        let lock = open(args, limit, global);
        let lock = lock.map_err(|error| command.not_run(&advice::explain(error)))?;
        let acquired = limit.attempt(&format!("lock \"{}\"", args.name), "holds it", |left| {
            or_dead(acquire(&lock, args.shared, left))
        });
        let error = match acquired {
            Ok((guard, owner_died)) => return run_holding(args, guard, owner_died),
            Err(error) => error,
        };
        // If it was removed, the name leads to another lock by now, or to none.
        if error.kind() != ErrorKind::Closed {
            return Err(command.not_run(&error.into()));
        }
    }
}

/// Runs the command while the lock is held.
fn run_holding(args: &Args, mut guard: AnyLockGuard<'_>, owner_died: bool) -> anyhow::Result<()> {
    if owner_died {
        report_death(args);
    }
    let code = args.command.run(|command| {
        if owner_died {
            command.env(OWNER_DIED, "1");
        } else {
            command.env_remove(OWNER_DIED);
        }
    })?;
    if code == 0 && args.mark_consistent {
        guard.mark_consistent();
    }
    end(code)
}

/// Opens the lock, or creates it. Tries again if another process creates or removes it meanwhile.
fn open(args: &Args, limit: TimeLimit, global: &Global) -> shmkit::Result<AnyLock> {
    let options = global.apply(named::RwLock::<NoData>::options());
    let options = options.access(args.access.into()).max_participants(DEFAULT_PARTICIPANTS);
    loop {
        let existing = global.apply(AnyLock::options()).slot_timeout(limit.left_for_slot());
        match existing.open(&args.name) {
            Err(error) if error.kind() == ErrorKind::NotFound && !args.no_create => {}
            answer => return answer,
        }
        match options.create(&args.name, NoData::default()) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
}

fn report_death(args: &Args) {
    let next = match args.mark_consistent {
        true => "this command must repair them",
        false => "run a command that repairs them, with --mark-consistent",
    };
    output::note(format_args!("\"{}\": {}; {next}", args.name, source::OWNER_DIED));
}
