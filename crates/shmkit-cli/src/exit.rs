//! How the command ends: exit codes, and the errors that have one.

use std::fmt;
use std::io;
use std::process::ExitCode;

use shmkit::ErrorKind;

use crate::output;
use crate::sys::INTERRUPTED;

/// Every exit code with its meaning, as `shm --help` shows them.
const CODES: [(u8, &str); 17] = [
    (0, "success"),
    (1, "another error; a broken promise in demo; something left to do in doctor"),
    (2, "invalid command line, name, value or range"),
    (3, "no such object, memory or file"),
    (4, "the name is taken, or the object exists with other options"),
    (5, "permission denied"),
    (6, "no space left for an object or memory"),
    (7, "wrong kind, type or version, or corrupt"),
    (NOT_NOW, "not now: a timeout, a busy object, no free slot, no value yet, an event not set"),
    (9, "a process on the other side died, aborted or left, or the object or memory was removed"),
    (10, "not supported on this system"),
    (11, "a server refused a request"),
    (NOT_IN_TIME, "lock, sem acquire: timeout, the command was not run"),
    (BEFORE_COMMAND, "lock, sem acquire: another error before the command was run"),
    (CANNOT_RUN, "lock, sem acquire: the command cannot be run"),
    (NO_COMMAND, "lock, sem acquire: no such command"),
    (INTERRUPTED, "interrupted by ctrl-c; on Unix 129 by SIGHUP, 143 by SIGTERM"),
];

/// The code for what may succeed later.
pub(crate) const NOT_NOW: u8 = 8;
/// The code of timeout(1). Smaller ones are those of the command that was run.
pub(crate) const NOT_IN_TIME: u8 = 124;
/// The codes of timeout(1), env(1) and nohup(1).
const BEFORE_COMMAND: u8 = 125;
const CANNOT_RUN: u8 = 126;
const NO_COMMAND: u8 = 127;

fn code_of(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::InvalidName
        | ErrorKind::InvalidArgument
        | ErrorKind::OutOfRange
        | ErrorKind::BufferTooSmall => 2,
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
        ErrorKind::PeerDied
        | ErrorKind::OwnerDied
        | ErrorKind::Closed
        | ErrorKind::RoleLost
        | ErrorKind::Aborted
        | ErrorKind::BrokenPipe => 9,
        ErrorKind::Unsupported => 10,
        ErrorKind::Refused => 11,
        _ => 1,
    }
}

fn code_of_system(kind: io::ErrorKind) -> u8 {
    match kind {
        // The reader of our output has closed it: it has read enough.
        io::ErrorKind::BrokenPipe => 0,
        io::ErrorKind::NotFound => 3,
        io::ErrorKind::AlreadyExists => 4,
        io::ErrorKind::PermissionDenied => 5,
        _ => 1,
    }
}

/// Returns the table of exit codes at the end of `shm --help`.
pub(crate) fn table() -> String {
    let lines = CODES.iter().map(|(code, meaning)| format!("\n  {code:3}  {meaning}"));
    format!("Exit codes:{}", lines.collect::<String>())
}

/// An end of the command that is neither an error of the library nor one of the system.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An argument is invalid, which parsing the command line cannot find.
    Usage(String),
    /// No object has the name.
    NotFound(String),
    /// The object is of another kind than the subcommand expects.
    WrongKind(String),
    /// It may succeed later.
    NotNow(String),
    /// What the command uses was removed.
    Removed(String),
    /// A process on the other side died.
    Died(String),
    /// This system cannot do it.
    Unsupported(String),
    /// An error of the library, with a message that also says what this command can do about it.
    Library { error: shmkit::Error, message: String },
    /// The command that was run ended with this code. On Windows it can be larger than 255.
    Command(i32),
    /// The command ends with this code, and has reported why.
    Reported(u8),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message)
            | Self::NotFound(message)
            | Self::WrongKind(message)
            | Self::NotNow(message)
            | Self::Removed(message)
            | Self::Died(message)
            | Self::Unsupported(message)
            | Self::Library { message, .. } => f.write_str(message),
            Self::Command(code) => write!(f, "the command ended with exit code {code}"),
            Self::Reported(code) => write!(f, "exit code {code}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Reports the error of a subcommand, and returns how the process ends.
pub(crate) fn code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref() {
            Some(Failure::Command(code)) => std::process::exit(*code),
            _ => ExitCode::from(report(&error)),
        },
    }
}

/// Returns the code for an end that no error explains.
pub(crate) fn unexplained(runs_a_command: bool) -> u8 {
    if runs_a_command { BEFORE_COMMAND } else { 1 }
}

/// Reports why a command was not run, and returns how the process ends.
pub(crate) fn before_command(error: &anyhow::Error, not_in_time: u8) -> Failure {
    let code = report(error);
    Failure::Reported(if code == NOT_NOW { not_in_time } else { BEFORE_COMMAND })
}

/// Reports why the system did not start a command, and returns how the process ends.
pub(crate) fn not_started(command: &str, error: &io::Error) -> Failure {
    output::note(format_args!("cannot run {command}: {error}"));
    let is_missing = error.kind() == io::ErrorKind::NotFound;
    Failure::Reported(if is_missing { NO_COMMAND } else { CANNOT_RUN })
}

/// Reports an error, and returns its exit code.
pub(crate) fn report(error: &anyhow::Error) -> u8 {
    let (mut message, mut code) = (String::new(), 1);
    for cause in error.chain() {
        let separator = if message.is_empty() { "" } else { ": " };
        message = format!("{message}{separator}{cause}");
        match cause.downcast_ref() {
            Some(Failure::Reported(code)) => return *code,
            Some(Failure::Usage(_)) => code = 2,
            Some(Failure::NotFound(_)) => code = 3,
            Some(Failure::WrongKind(_)) => code = 7,
            Some(Failure::NotNow(_)) => code = NOT_NOW,
            Some(Failure::Removed(_) | Failure::Died(_)) => code = 9,
            Some(Failure::Unsupported(_)) => code = 10,
            Some(Failure::Library { error, .. }) => code = code_of(error.kind()),
            Some(Failure::Command(_)) | None => {}
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            code = code_of_system(error.kind());
        }
        if let Some(error) = cause.downcast_ref::<shmkit::Error>() {
            code = code_of(error.kind());
            // Its message holds those of its causes.
            break;
        }
    }
    if code != 0 {
        output::note(message);
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_code_in_order() {
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
            ErrorKind::Refused,
            ErrorKind::Os,
        ];
        let mut codes: Vec<_> = kinds.into_iter().map(code_of).collect();
        codes.sort_unstable();
        assert_eq!(codes, (1..=11).collect::<Vec<_>>());
        assert!(CODES.iter().map(|(code, _)| *code).eq((0..=11).chain([124, 125, 126, 127, 130])));
    }
}
