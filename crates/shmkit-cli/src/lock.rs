//! `shm lock`.

use shmkit::sync::{AnyLock, AnyLockGuard, LockError, LockResult, NoData, named};
use shmkit::{Error, ErrorKind};

use crate::create_args::{PARTICIPANTS, Who};
use crate::running::{Run, end};
use crate::timeout_args::TimeoutArgs;
use crate::{Global, advice, output};

/// Set to 1 for a command that is run with a lock that is marked by a death.
const OWNER_DIED: &str = "SHMKIT_OWNER_DIED";

/// Run a command while holding a lock, in step with every program that uses it
///
/// The lock is any mutex, reentrant mutex or rwlock that has a name of its own, whatever value it
/// guards. Where nothing has the name, an rwlock without a value is made, which stays until
/// `shm rm`. This process holds the lock as long as the command runs, and hands SIGTERM and SIGHUP
/// on to it; ctrl-c reaches it from the terminal. If this process is killed, the kernel gives the
/// lock to the next, and the command is killed with it (but on macOS). What the command has started
/// in turn goes on without the lock (but on Windows): end this process by SIGTERM, not by SIGKILL,
/// or have what must not run twice take the lock itself.
///
/// If a process died while it held the lock alone, what it guards may be half-changed. That is told
/// on standard error, and the command is run all the same, with SHMKIT_OWNER_DIED=1 in its
/// environment, so that it can mend it. Everybody who takes the lock is told the same until one
/// says that all is mended: with --mark-consistent, once the command has succeeded.
///
/// The exit code is that of the command, or 128 and the number of the signal that ended it. If it
/// was not run: 124 where the lock could not be had in time, 125 for another failure, 126 or 127
/// where there is no such command that can be run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm lock backup -- tar -cf /backup/home.tar /home
  shm lock backup --timeout 2s -- ./backup || echo \"not now: $?\"
  shm lock robot/limits --shared -- ./report
  shm lock accounts --mark-consistent -- sh -c '[ -z \"$SHMKIT_OWNER_DIED\" ] || ./mend; ./book'")]
pub(crate) struct Args {
    /// The name of the lock
    name: String,
    /// Hold it together with others who share it: only an rwlock can be shared
    #[arg(long, short)]
    shared: bool,
    #[command(flatten)]
    timeout_args: TimeoutArgs,
    /// Once the command has succeeded, say that what a dead holder left half-changed is mended
    #[arg(long, conflicts_with = "shared")]
    mark_consistent: bool,
    /// Fail where nothing has the name
    #[arg(long)]
    no_create: bool,
    /// Who may use it, where it is made
    #[arg(long, value_enum, default_value = "owner")]
    access: Who,
    #[command(flatten)]
    run: Run,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let why = "a lock is held as long as a command runs: shm lock NAME -- COMMAND";
    args.run.check_given(why)?;
    let lock = open(args, global)
        .map_err(|error| args.run.not_run(&advice::explained(error, &global.directory())))?;
    let (mut guard, died) = match take(args, &lock) {
        Ok(guard) => (guard, false),
        Err(LockError::OwnerDied(guard)) => (guard, true),
        Err(other) => return Err(args.run.not_run(&Error::from(other).into())),
    };
    if died {
        note_death(args);
    }
    let code = args.run.run(|command| {
        if died {
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

/// Opens the lock, or makes one. Whoever removes it at that very moment has it made again.
fn open(args: &Args, global: &Global) -> shmkit::Result<AnyLock> {
    let directory = global.directory();
    let options = named::RwLock::<NoData>::options().directory(&directory).trust(global.trust);
    let options = options.access(args.access.into()).max_participants(PARTICIPANTS);
    loop {
        match AnyLock::open(Some(&directory), &args.name, global.trust) {
            Err(error) if error.kind() == ErrorKind::NotFound && !args.no_create => {}
            answer => return answer,
        }
        match options.create(&args.name, NoData::default()) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
}

fn take<'a>(args: &Args, lock: &'a AnyLock) -> LockResult<AnyLockGuard<'a>> {
    match (args.shared, args.timeout_args.limit()) {
        (false, None) => lock.exclusive(),
        (false, Some(limit)) => lock.exclusive_timeout(limit),
        (true, None) => lock.shared(),
        (true, Some(limit)) => lock.shared_timeout(limit),
    }
}

fn note_death(args: &Args) {
    let next = match args.mark_consistent {
        true => "this command is to mend it",
        false => "a command run with --mark-consistent can say that it is mended",
    };
    let name = &args.name;
    output::note(format_args!(
        "\"{name}\": a process died while it held the lock, and what it guards may be \
         half-changed; {next}"
    ));
}
