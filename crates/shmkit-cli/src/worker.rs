//! Running a command for each message of a queue.

use std::ffi::OsString;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::exit;
use crate::messages::{Form, MessageType, encoded};
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
    pub(crate) message: Vec<u8>,
    pub(crate) priority: u32,
    pub(crate) deliveries: u32,
}

/// Runs the command.
pub(crate) struct Worker<'a> {
    program: &'a OsString,
    arguments: &'a [OsString],
    form: Form,
    of: &'a MessageType,
    runner: Runner,
}

impl<'a> Worker<'a> {
    /// A worker that runs this command. A request to end also reaches `stop`.
    pub(crate) fn new(
        command: &'a [OsString],
        form: Form,
        of: &'a MessageType,
        stop: Stop,
    ) -> anyhow::Result<Self> {
        let (program, arguments) = command.split_first().expect("the caller has a command");
        let runner = Runner::new(move |code| stop.ask(code))?;
        Ok(Self { program, arguments, form, of, runner })
    }

    /// Runs the command for a message. Returns whether it succeeded.
    pub(crate) fn run(&self, work: &Work) -> anyhow::Result<bool> {
        let facts = [("priority", work.priority.into()), ("deliveries", work.deliveries.into())];
        let input = encoded(self.form, self.of, &work.message, &facts)?;
        let mut command = Command::new(self.program);
        command.args(self.arguments);
        command.env(DELIVERIES, work.deliveries.to_string());
        command.env(PRIORITY, work.priority.to_string());
        let code = self.runner.run_with_input(&mut command, &input);
        let program = self.program.to_string_lossy();
        let code = code.map_err(|error| exit::not_started(&program, &error))?;
        if code != 0 {
            let deliveries = match work.deliveries {
                1 => String::new(),
                times => format!(", delivery {times}"),
            };
            output::note(format_args!("{program} ended with exit code {code}{deliveries}"));
        }
        Ok(code == 0)
    }

    pub(crate) fn pause_after_failure(&self) {
        thread::sleep(PAUSE);
    }
}
