//! Running a command while something is held for it.

use std::ffi::OsString;
use std::process::Command;

use crate::exit::{self, OfCommand, Told, Usage};
use crate::sys;

/// The command, and what to say if it is not run.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// The exit code when it cannot be had in time
    #[arg(long, short = 'E', value_name = "CODE", default_value_t = exit::NOT_IN_TIME)]
    conflict_exit_code: u8,
    /// The command, with its arguments
    #[arg(trailing_var_arg = true)]
    command: Vec<OsString>,
}

impl Run {
    /// Refuses to go on without a command, for this reason.
    pub(crate) fn check_given(&self, why: &str) -> anyhow::Result<()> {
        if self.command.is_empty() { Err(Usage(why.to_owned()).into()) } else { Ok(()) }
    }

    /// The end where what the command was to be run with was not to be had.
    pub(crate) fn not_run(&self, error: &anyhow::Error) -> anyhow::Error {
        exit::before_command(error, self.conflict_exit_code).into()
    }

    /// Runs the command, and says what its exit code is once it ended.
    pub(crate) fn run(&self, prepare: impl FnOnce(&mut Command)) -> Result<i32, Told> {
        let (program, arguments) = self.command.split_first().expect("checked to be given");
        let mut command = Command::new(program);
        prepare(command.args(arguments));
        let ended = sys::run(&mut command);
        ended.map_err(|error| exit::not_started(&program.to_string_lossy(), &error))
    }
}

/// The end of this process, once a command ended with this code.
pub(crate) fn end(code: i32) -> anyhow::Result<()> {
    if code == 0 { Ok(()) } else { Err(OfCommand(code).into()) }
}
