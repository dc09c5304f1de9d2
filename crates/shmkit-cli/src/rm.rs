//! `shm rm`.

use shmkit::{ErrorKind, inspect};

use crate::{Global, advice, exit};

/// Remove objects: whoever has one open is told that it is closed
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm rm robot/pose robot/goal
  shm rm --force broken")]
pub(crate) struct Args {
    /// The names of the objects
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Also files that only look like objects; and say nothing where there is none
    ///
    /// Nobody can be told of the removal of a file that is no whole object.
    #[arg(long, short)]
    force: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    for name in &args.names {
        if let Err(error) = remove(name, args.force, global) {
            let code = exit::report(&error);
            outcome = outcome.and(Err(exit::Told(code).into()));
        }
    }
    outcome
}

fn remove(name: &str, force: bool, global: &Global) -> anyhow::Result<()> {
    let directory = global.directory();
    let Err(error) = inspect::remove(&directory, name, global.trust) else { return Ok(()) };
    let is_directory = error.to_string().ends_with(": it is a directory");
    let is_no_object = !is_directory
        && matches!(
            error.kind(),
            ErrorKind::Corrupt | ErrorKind::WrongKind | ErrorKind::WrongVersion
        );
    match error.kind() {
        ErrorKind::NotFound if force => Ok(()),
        _ if is_no_object && force => Ok(inspect::remove_file(&directory, name)?),
        _ if is_no_object => {
            let message = format!("{error}; with --force its file is removed all the same");
            Err(exit::Hint { error, message }.into())
        }
        _ => Err(advice::explained(error, &directory)),
    }
}
