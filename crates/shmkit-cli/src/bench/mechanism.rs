//! What a mechanism is: how this command prepares it, and what each of the two processes does.

use std::any::Any;
use std::path::Path;

use super::wait::Wait;
use super::worker::Worker;

/// A way to pass messages from one process to another.
#[derive(Clone, Copy)]
pub(super) struct Mechanism {
    /// Its name in tables and on the command line.
    pub(super) name: &'static str,
    /// What it is, in words.
    pub(super) title: &'static str,
    pub(super) family: Family,
    /// Whether the receiver gets each message. Otherwise it gets the newest one.
    pub(super) keeps_all: bool,
    /// Prepares it in an empty directory, for messages of some size, before the processes start.
    pub(super) prepare: fn(&Path, usize) -> Result<Prepared, Cannot>,
    /// Runs one of the two processes.
    pub(super) run: fn(&Worker) -> anyhow::Result<()>,
}

impl Mechanism {
    /// Returns how its processes wait, for each row.
    pub(super) fn ways_to_wait(&self) -> &'static [Wait] {
        match self.family {
            Family::Shmkit => &[Wait::Spinning, Wait::Asleep],
            _ => &[Wait::Asleep],
        }
    }
}

/// What mechanisms have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    Pipe,
    Socket,
    MessageQueue,
    SharedMemory,
    Shmkit,
}

impl Family {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pipe => "pipe",
            Self::Socket => "socket",
            Self::MessageQueue => "message-queue",
            Self::SharedMemory => "shared-memory",
            Self::Shmkit => "shmkit",
        }
    }
}

/// What the two processes are given.
#[derive(Default)]
pub(super) struct Prepared {
    /// Handles that they inherit, as numbers.
    pub(super) ends: Vec<String>,
    /// What stays open until both have started.
    pub(super) keep: Vec<Box<dyn Any>>,
}

impl Prepared {
    /// For a mechanism whose processes prepare it themselves.
    pub(super) fn nothing(_directory: &Path, _size: usize) -> Result<Self, Cannot> {
        Ok(Self::default())
    }
}

/// Why a mechanism cannot pass messages of a size here, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cannot(pub(super) String);

impl From<std::io::Error> for Cannot {
    fn from(error: std::io::Error) -> Self {
        Self(format!("the system refuses it: {error}"))
    }
}

impl From<shmkit::Error> for Cannot {
    fn from(error: shmkit::Error) -> Self {
        Self(error.to_string())
    }
}
