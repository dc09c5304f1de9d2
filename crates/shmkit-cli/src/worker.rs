//! Running a command for each message of a queue, or each request of a call.

use std::borrow::Cow;
use std::ffi::OsString;
use std::process::{ChildStdout, Command};
use std::thread;
use std::time::Duration;

use crate::exit;
use crate::output;
use crate::stop::Stop;
use crate::sys::Runner;

/// How often the message was handed over, this time included: for the command.
const DELIVERIES: &str = "SHMKIT_DELIVERIES";
/// The priority of the message.
const PRIORITY: &str = "SHMKIT_PRIORITY";

/// How long a worker pauses after a message that it gave back: it can be the next one again.
const PAUSE: Duration = Duration::from_millis(100);

/// A message for the command.
pub(crate) struct Work {
    /// Its standard input.
    pub(crate) input: Vec<u8>,
    pub(crate) priority: u32,
    pub(crate) deliveries: u32,
}

/// Runs the command.
pub(crate) struct Worker<'a> {
    program: &'a OsString,
    arguments: &'a [OsString],
    runner: Runner,
}

impl<'a> Worker<'a> {
    /// A worker that runs this command. A request to end also reaches `stop`.
    pub(crate) fn new(command: &'a [OsString], stop: Stop) -> anyhow::Result<Self> {
        let (program, arguments) = command.split_first().expect("the caller has a command");
        let runner = Runner::new(move |code| stop.ask(code))?;
        Ok(Self { program, arguments, runner })
    }

    /// Runs the command for a message. Returns whether it succeeded.
    pub(crate) fn run(&self, work: &Work) -> anyhow::Result<bool> {
        let mut command = self.command();
        command.env(DELIVERIES, work.deliveries.to_string());
        command.env(PRIORITY, work.priority.to_string());
        let code = self.runner.run_with_input(&mut command, &work.input);
        let code = code.map_err(|error| exit::not_started(&self.program(), &error))?;
        if code != 0 {
            let deliveries = match work.deliveries {
                1 => String::new(),
                times => format!(", delivery {times}"),
            };
            output::note(format_args!(
                "{} ended with exit code {code}{deliveries}",
                self.program()
            ));
        }
        Ok(code == 0)
    }

    /// Runs the command with this input, and calls `read` with its standard output while it runs.
    /// Returns what `read` returned, and, if the command failed, how.
    pub(crate) fn ask<T>(
        &self,
        input: Vec<u8>,
        read: impl FnOnce(ChildStdout) -> T,
    ) -> anyhow::Result<(T, Option<String>)> {
        let ran = self.runner.run_through(&mut self.command(), input, read);
        let (code, answer) = ran.map_err(|error| exit::not_started(&self.program(), &error))?;
        let failed = || format!("{} ended with exit code {code}", self.program());
        Ok((answer, (code != 0).then(failed)))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.args(self.arguments);
        command
    }

    fn program(&self) -> Cow<'_, str> {
        self.program.to_string_lossy()
    }

    pub(crate) fn pause_after_failure(&self) {
        thread::sleep(PAUSE);
    }
}
