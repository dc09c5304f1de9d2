//! The command in the background, for both test programs.

use std::io::{self, BufRead, BufReader, Lines, Write as _};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

/// Starts a process. Wine sometimes fails with an internal error, and can succeed the next time.
pub(crate) fn started<T>(mut start: impl FnMut() -> io::Result<T>) -> T {
    const INTERNAL_ERROR: i32 = 1359;
    loop {
        match start() {
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(INTERNAL_ERROR) => {}
            answer => return answer.unwrap(),
        }
    }
}

/// Prints that a test cannot run here. Under CI that is a failure.
#[allow(dead_code, reason = "one of the two test programs needs it on Windows")]
pub(crate) fn skip(what: &str) {
    // The harness hides the output of `eprintln!` when a test passes.
    let _ = writeln!(io::stderr(), "SKIPPED: {what}");
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "must run under CI: {what}");
}

/// A process in the background, which is killed when this is dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) lines: Lines<BufReader<ChildStdout>>,
    pub(crate) errors: Lines<BufReader<ChildStderr>>,
}

impl Running {
    pub(crate) fn new(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = started(|| command.spawn());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let errors = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines, errors }
    }

    /// Returns its next line on standard output.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.next() {
            Some(line) => line.unwrap(),
            None => panic!("it ended: {:?}", self.errors.by_ref().collect::<Vec<_>>()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
