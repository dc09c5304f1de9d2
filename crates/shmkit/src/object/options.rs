//! Choices that are made once, when an object is created, or each time it is opened.

use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};
use crate::memory::{Access, Trust};
use crate::sys::directory;

/// How long an object stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum Lifetime {
    /// Until it is removed or the machine restarts. The default.
    Persistent = 1,
    /// As long as a process has it open. The last one out removes it; if that one was killed, or
    /// could only read, the next one who opens it does.
    WhileUsed = 2,
    /// Until it is removed, over restarts of the machine, where its directory is on a disk.
    Durable = 3,
}

impl Lifetime {
    pub(crate) fn of_number(number: u32) -> Option<Self> {
        let all = [Self::Persistent, Self::WhileUsed, Self::Durable];
        all.into_iter().find(|it| *it as u32 == number)
    }

    /// The word for it, as `shm` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Persistent => "persistent",
            Self::WhileUsed => "while used",
            Self::Durable => "durable",
        }
    }
}

/// The choices that all kinds of object share. What is not chosen is not compared at opening.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) directory: Option<PathBuf>,
    pub(crate) access: Option<Access>,
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) read_only_peers: Option<bool>,
    pub(crate) participants: Option<u32>,
    pub(crate) trust: Trust,
}

impl Options {
    pub(crate) const fn new() -> Self {
        Self {
            directory: None,
            access: None,
            lifetime: None,
            read_only_peers: None,
            participants: None,
            trust: Trust::Own,
        }
    }

    /// Where the object is: as chosen, else as `SHMKIT_DIR` says, else the system's place.
    pub(crate) fn directory(&self) -> PathBuf {
        self.directory.clone().unwrap_or_else(default_directory)
    }
}

/// The directory of objects when a program names none: what the environment's `SHMKIT_DIR` says,
/// else `/dev/shm`, or on Windows `%LOCALAPPDATA%\shmkit`.
pub fn default_directory() -> PathBuf {
    match std::env::var_os("SHMKIT_DIR") {
        Some(directory) if !directory.is_empty() => directory.into(),
        _ => directory::default_path().into(),
    }
}

/// Refuses an object one of whose options differs from what was asked for.
pub(crate) fn same_option<V: PartialEq>(
    what: &str,
    asked: Option<V>,
    found: V,
    show: impl Fn(V) -> String,
) -> Result<()> {
    match asked {
        Some(asked) if asked != found => {
            let why = format!("{what} is {} here and {} in the object", show(asked), show(found));
            Err(Error::new(ErrorKind::WrongOptions, why))
        }
        _ => Ok(()),
    }
}
