//! Running commands whose standard streams are pipes of this process.

use std::io::{self, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::channel;

use super::system::{Runner, start_thread};

impl Runner {
    /// Runs a command with these bytes on its standard input. It need not read them.
    pub(crate) fn run_with_input(&self, command: &mut Command, input: &[u8]) -> io::Result<i32> {
        command.stdin(Stdio::piped());
        self.run(command, |child| write(child.stdin.take(), input))
    }

    /// Does the same, and calls `read` with the standard output of the command, while that runs.
    /// The output is closed when `read` returns. Returns the exit code, and what `read` returned.
    pub(crate) fn run_through<T>(
        &self,
        command: &mut Command,
        input: Vec<u8>,
        read: impl FnOnce(ChildStdout) -> T,
    ) -> io::Result<(i32, T)> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut answer = None;
        let code = self.run(command, |child| {
            let (stdin, (sender, written)) = (child.stdin.take(), channel());
            // In a thread: the command may print before it has read everything.
            start_thread(move || _ = sender.send(write(stdin, &input)))?;
            answer = child.stdout.take().map(read);
            // If the command has closed only its output, it may still read.
            written.try_recv().unwrap_or(Ok(()))
        })?;
        let answer = answer.ok_or_else(|| io::Error::other("no pipe from the command"))?;
        Ok((code, answer))
    }
}

fn write(stdin: Option<ChildStdin>, input: &[u8]) -> io::Result<()> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    match stdin.write_all(input) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
