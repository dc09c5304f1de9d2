//! What a raw command works on, and which bytes of it.

use std::path::PathBuf;

use serde_json::{Value, json};
use shmkit::memory::{FileMapping, Region, RegionOptions, SharedMemory};

use crate::units;

/// Either named memory or a file.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Target {
    /// The name of the memory
    pub(super) name: Option<String>,
    /// A file, in place of named memory
    #[arg(long, value_name = "PATH")]
    pub(super) file: Option<PathBuf>,
}

/// The memory or the file, open.
pub(super) enum Opened {
    Memory(SharedMemory),
    File(FileMapping),
}

impl Target {
    pub(super) fn open(&self, writable: bool) -> shmkit::Result<Opened> {
        match (&self.file, &self.name) {
            (Some(path), _) => {
                let options = FileMapping::options();
                let options = if writable { options } else { options.read_only() };
                Ok(Opened::File(options.open(path)?))
            }
            (None, name) => {
                let options = SharedMemory::options();
                let options = if writable { options } else { options.read_only() };
                Ok(Opened::Memory(options.open(name.as_deref().unwrap_or_default())?))
            }
        }
    }

    /// What it is called in JSON.
    pub(super) fn json(&self) -> Value {
        match &self.file {
            Some(path) => json!({ "file": path.to_string_lossy() }),
            None => json!({ "name": self.name }),
        }
    }
}

impl Opened {
    pub(super) fn region(&self) -> RegionOptions<'_> {
        match self {
            Self::Memory(memory) => memory.region(),
            Self::File(file) => file.region(),
        }
    }
}

/// Which of its bytes.
#[derive(Debug, clap::Args)]
pub(super) struct Bytes {
    /// The first byte
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = units::bytes)]
    pub(super) offset: u64,
    /// How many bytes [default: up to the end]
    #[arg(long, value_name = "BYTES", value_parser = units::bytes)]
    pub(super) length: Option<u64>,
}

impl Bytes {
    /// Maps them for reading.
    pub(super) fn map(&self, opened: &Opened) -> shmkit::Result<Region> {
        let region = opened.region().read_only().offset(self.offset);
        match self.length {
            Some(length) => region.length(usize::try_from(length).unwrap_or(usize::MAX)).map(),
            None => region.map(),
        }
    }
}
