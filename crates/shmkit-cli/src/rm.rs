//! `shm rm`.

use shmkit::ErrorKind;
use shmkit::inspect::{self, Finding, Remedy};

use crate::advice;
use crate::exit::{self, Failure};
use crate::global::Global;

/// Remove objects
///
/// Processes that have an object open learn that it was removed. Of an object whose file has other
/// names (hard links), only this name is removed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm rm robot/pose robot/goal
  shm rm --force broken")]
pub(crate) struct Args {
    /// The names of the objects
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Also remove files that are not valid objects, and ignore missing ones
    ///
    /// Processes that have such a file open do not learn that it was removed.
    #[arg(long, short)]
    force: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    for name in &args.names {
        if let Err(error) = remove(name, args.force, global) {
            let code = exit::report(&error);
            outcome = outcome.and(Err(Failure::Reported(code).into()));
        }
    }
    outcome
}

fn remove(name: &str, force: bool, global: &Global) -> anyhow::Result<()> {
    let directory = global.directory();
    let Err(error) = inspect::remove(&directory, name, global.trust) else { return Ok(()) };
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

/// Returns whether a directory has the name. `--force` does not remove it.
fn is_directory(name: &str, global: &Global) -> bool {
    let findings = inspect::examine(&global.directory(), global.trust).unwrap_or_default();
    let is_directory = |it: &Finding| matches!(it.remedy(), Remedy::RemoveDirectory(_));
    findings.iter().any(|it| it.object() == name && is_directory(it))
}
