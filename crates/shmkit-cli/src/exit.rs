//! What the command says to the shell when it ends.

use std::io;
use std::process::ExitCode;

use shmkit::ErrorKind;

use crate::output;

/// Every code and its meaning, as `shm --help` shows them.
const CODES: [(u8, &str); 16] = [
    (0, "done"),
    (1, "it failed, or a promise was broken"),
    (2, "the command line, a name, a value or a range makes no sense"),
    (3, "there is nothing of this name"),
    (4, "there is something of this name already, or with other options"),
    (5, "not allowed"),
    (6, "no space left"),
    (7, "it is something else: of another kind, type or version, or corrupt"),
    (NOT_NOW, "not now: others are in the way, the time is over, it is not set, or has no value"),
    (9, "the other side died, or the object was removed"),
    (10, "this system cannot do it"),
    (NOT_IN_TIME, "lock, sem acquire: not got in time, so the command was not run"),
    (BEFORE_COMMAND, "lock, sem acquire: it failed before the command was run"),
    (CANNOT_RUN, "lock, sem acquire: the command cannot be run"),
    (NO_COMMAND, "lock, sem acquire: there is no such command"),
    (INTERRUPTED, "interrupted by ctrl-c"),
];

/// Where a command is run, all smaller codes are its own. This one is as timeout(1) has it.
pub(crate) const NOT_IN_TIME: u8 = 124;
/// As timeout(1), env(1) and nohup(1) have them.
const BEFORE_COMMAND: u8 = 125;
const CANNOT_RUN: u8 = 126;
const NO_COMMAND: u8 = 127;

/// As shells say it: 128 and the number of the signal.
pub(crate) const INTERRUPTED: u8 = 130;

/// Not now.
pub(crate) const NOT_NOW: u8 = 8;

fn code_of(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::InvalidName | ErrorKind::InvalidArgument | ErrorKind::OutOfRange => 2,
        ErrorKind::NotFound => 3,
        ErrorKind::AlreadyExists | ErrorKind::WrongOptions => 4,
        ErrorKind::PermissionDenied => 5,
        ErrorKind::OutOfSpace => 6,
        ErrorKind::WrongKind
        | ErrorKind::WrongType
        | ErrorKind::WrongVersion
        | ErrorKind::Corrupt => 7,
        ErrorKind::Busy
        | ErrorKind::TimedOut
        | ErrorKind::Empty
        | ErrorKind::Full
        | ErrorKind::RoleTaken => NOT_NOW,
        ErrorKind::PeerDied | ErrorKind::OwnerDied | ErrorKind::Closed | ErrorKind::RoleLost => 9,
        ErrorKind::Unsupported => 10,
        _ => 1,
    }
}

fn code_of_system(kind: io::ErrorKind) -> u8 {
    match kind {
        io::ErrorKind::NotFound => 3,
        io::ErrorKind::AlreadyExists => 4,
        io::ErrorKind::PermissionDenied => 5,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => 6,
        _ => 1,
    }
}

/// The end of `shm --help`.
pub(crate) fn table() -> String {
    let lines = CODES.iter().map(|(code, meaning)| format!("\n  {code:3}  {meaning}"));
    format!("Exit codes:{}", lines.collect::<String>())
}

/// A value on the command line that only turns out to make no sense once more is known.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// An object that is not of the kind that was asked for.
#[derive(Debug)]
pub(crate) struct SomethingElse(pub(crate) String);

impl std::fmt::Display for SomethingElse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SomethingElse {}

/// The end of a command that was run, with this code, which Windows has larger ones of.
#[derive(Debug)]
pub(crate) struct OfCommand(pub(crate) i32);

impl std::fmt::Display for OfCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {} of the command", self.0)
    }
}

impl std::error::Error for OfCommand {}

/// An end with this code, all of whose reasons were told already.
#[derive(Debug)]
pub(crate) struct Told(pub(crate) u8);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}", self.0)
    }
}

impl std::error::Error for Told {}

/// An error of the library, in words that also tell what this command can do about it.
#[derive(Debug)]
pub(crate) struct Hint {
    pub(crate) error: shmkit::Error,
    pub(crate) message: String,
}

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hint {}

/// Says how the process ends, after a word about why.
pub(crate) fn code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref() {
            Some(&OfCommand(code)) => std::process::exit(code),
            None => ExitCode::from(report(&error)),
        },
    }
}

/// Reports why a command was not run, and says how the process ends then.
pub(crate) fn before_command(error: &anyhow::Error, not_in_time: u8) -> Told {
    let code = report(error);
    Told(if code == NOT_NOW { not_in_time } else { BEFORE_COMMAND })
}

/// Reports why the system did not start a command, and says how the process ends then.
pub(crate) fn not_started(command: &str, error: &io::Error) -> Told {
    output::note(format_args!("cannot run {command}: {error}"));
    Told(if error.kind() == io::ErrorKind::NotFound { NO_COMMAND } else { CANNOT_RUN })
}

/// Reports an error, and says which exit code it has.
pub(crate) fn report(error: &anyhow::Error) -> u8 {
    let mut message = String::new();
    let mut code = 1;
    for cause in error.chain() {
        if let Some(Told(code)) = cause.downcast_ref() {
            return *code;
        }
        let separator = if message.is_empty() { "" } else { ": " };
        message = format!("{message}{separator}{cause}");
        let hinted = cause.downcast_ref::<Hint>().map(|it| &it.error);
        if let Some(error) = hinted.or(cause.downcast_ref::<shmkit::Error>()) {
            // Its message holds those of its causes.
            code = code_of(error.kind());
            break;
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            if error.kind() == io::ErrorKind::BrokenPipe {
                // Whoever read our output has seen enough.
                return 0;
            }
            code = code_of_system(error.kind());
        }
        if cause.is::<Usage>() {
            code = 2;
        }
        if cause.is::<SomethingElse>() {
            code = 7;
        }
    }
    output::note(message);
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_is_given_is_in_the_table_in_order() {
        let kinds = [
            ErrorKind::NotFound,
            ErrorKind::AlreadyExists,
            ErrorKind::PermissionDenied,
            ErrorKind::InvalidName,
            ErrorKind::OutOfSpace,
            ErrorKind::Corrupt,
            ErrorKind::Busy,
            ErrorKind::PeerDied,
            ErrorKind::Unsupported,
            ErrorKind::Os,
        ];
        let mut codes: Vec<_> = kinds.into_iter().map(code_of).collect();
        codes.sort_unstable();
        assert_eq!(codes, (1..=10).collect::<Vec<_>>());
        assert!(CODES.iter().map(|(code, _)| *code).eq((0..=10).chain([124, 125, 126, 127, 130])));
    }
}
