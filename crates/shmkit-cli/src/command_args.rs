//! The arguments of subcommands that run a command.

use std::ffi::OsString;
use std::process::Command;

use crate::exit::{self, Failure};
use crate::sys;

/// The command to run, and the exit code if it is not run.
#[derive(Debug, clap::Args)]
pub(crate) struct CommandArgs {
    /// Exit with this code on a timeout
    #[arg(long, short = 'E', value_name = "CODE", default_value_t = exit::NOT_IN_TIME)]
    conflict_exit_code: u8,
    /// The command to run, with its arguments
    #[arg(trailing_var_arg = true)]
    command: Vec<OsString>,
}

impl CommandArgs {
    /// Refuses a command line without a command. `why` says what to write instead.
    pub(crate) fn check_present(&self, why: &str) -> anyhow::Result<()> {
        if self.command.is_empty() { Err(Failure::Usage(why.to_owned()).into()) } else { Ok(()) }
    }

    /// Returns how the process ends if this error came before the command was run.
    pub(crate) fn not_run(&self, error: &anyhow::Error) -> anyhow::Error {
        exit::before_command(error, self.conflict_exit_code).into()
    }

    /// Runs the command to its end, and returns its exit code.
    pub(crate) fn run(&self, prepare: impl FnOnce(&mut Command)) -> Result<i32, Failure> {
        let (program, arguments) = self.command.split_first().expect("check_present was called");
        let mut command = Command::new(program);
        prepare(command.args(arguments));
        let ended = sys::run(&mut command);
        ended.map_err(|error| exit::not_started(&program.to_string_lossy(), &error))
    }
}

/// Returns how the process ends after a command that ended with this code.
pub(crate) fn end(code: i32) -> anyhow::Result<()> {
    if code == 0 { Ok(()) } else { Err(Failure::Command(code).into()) }
}
