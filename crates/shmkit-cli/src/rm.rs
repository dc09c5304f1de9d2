//! `shm rm`.

use shmkit::ErrorKind;
use shmkit::inspect::{self, Description, Finding, Remedy};

use crate::exit::{self, Failure};
use crate::global::Global;
use crate::{advice, description};

/// Remove objects that no process uses
///
/// An object is in use while a living process has it open. The command refuses to remove it, with
/// exit code 8, and says which processes use it. With --force it removes it, and these processes
/// learn that it was removed. Of an object whose file has other names (hard links), only this name
/// is removed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm rm robot/pose robot/goal
  shm rm --prefix robot/
  shm rm --force broken")]
pub(crate) struct Args {
    /// The names of the objects
    #[arg(value_name = "NAME", required_unless_present = "prefix")]
    names: Vec<String>,
    /// Remove all objects whose names begin with PREFIX
    #[arg(long, conflicts_with = "names", value_parser = prefix)]
    prefix: Option<String>,
    /// Also remove objects in use and files that are not valid objects, and ignore missing ones
    ///
    /// Processes that have a file open that is not a valid object do not learn that it was removed.
    #[arg(long, short)]
    force: bool,
}

/// Refuses what a script passes if its variable is not set.
fn prefix(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it is empty, and all objects would be removed".into());
    }
    Ok(text.into())
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    for name in names(args, global)? {
        if let Err(error) = remove(&name, args.force, global) {
            let code = exit::report(&error);
            outcome = outcome.and(Err(Failure::Reported(code).into()));
        }
    }
    outcome
}

fn names(args: &Args, global: &Global) -> anyhow::Result<Vec<String>> {
    let Some(prefix) = &args.prefix else { return Ok(args.names.clone()) };
    let names = inspect::names_with_prefix(&global.directory(), prefix)?;
    if names.is_empty() && !args.force {
        let place = global.directory();
        let why =
            format!("no object in {} has a name that begins with {prefix:?}", place.display());
        return Err(Failure::NotFound(format!("cannot remove {prefix:?}: {why}")).into());
    }
    Ok(names)
}

fn remove(name: &str, force: bool, global: &Global) -> anyhow::Result<()> {
    let directory = global.directory();
    let removed = match force {
        true => inspect::remove(&directory, name, global.trust).map(|()| true),
        false => inspect::remove_unless_used(&directory, name, global.trust),
    };
    let error = match removed {
        Ok(true) => return Ok(()),
        Ok(false) => return Err(in_use(name, global).into()),
        Err(error) => error,
    };
    let is_invalid =
        matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::WrongKind | ErrorKind::WrongVersion);
    match error.kind() {
        ErrorKind::NotFound if force => Ok(()),
        _ if is_invalid && force => Ok(inspect::remove_file(&directory, name)?),
        _ if is_invalid && !is_directory(name, global) => {
            let message = format!("{error}; --force removes its file");
            Err(Failure::Library { error, message }.into())
        }
        _ => Err(advice::explain(error)),
    }
}

/// Says which processes have the object open, as far as they still do.
fn in_use(name: &str, global: &Global) -> Failure {
    let found = inspect::describe(&global.directory(), name, global.trust);
    let users = found.ok().and_then(|it| users(&it)).unwrap_or("a process used it".into());
    Failure::NotNow(format!("cannot remove \"{name}\": {users}: --force removes it anyway"))
}

/// Returns which living processes have the object open: `process 42 (planner) uses it`.
fn users(it: &Description) -> Option<String> {
    let participants = it.participants.iter().filter(|it| it.is_alive);
    let participants = participants.map(|it| (it.pid, it.program.clone()));
    let found = if it.readers == 0 { None } else { it.find_readers() };
    let named = found.unwrap_or_default();
    let unnamed = if named.is_empty() { it.readers } else { 0 };
    let mut who = description::processes(participants.chain(named));
    match unnamed {
        0 => {}
        1 => who.push("1 reader".into()),
        _ => who.push(format!("{unnamed} readers")),
    }
    let one = who.len() == 1 && unnamed <= 1;
    let last = who.pop()?;
    Some(match who.is_empty() {
        true => format!("{last} {} it", if one { "uses" } else { "use" }),
        false => format!("{} and {last} use it", who.join(", ")),
    })
}

/// Returns whether a directory has the name. `--force` does not remove it.
fn is_directory(name: &str, global: &Global) -> bool {
    let findings = inspect::examine(&global.directory(), global.trust).unwrap_or_default();
    let is_directory = |it: &Finding| matches!(it.remedy(), Remedy::RemoveDirectory(_));
    findings.iter().any(|it| it.object() == name && is_directory(it))
}
