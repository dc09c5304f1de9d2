//! The memory or the file that a raw command uses, and which bytes of it.

use std::path::PathBuf;

use anyhow::bail;
use serde_json::{Value, json};
use shmkit::ErrorKind;
use shmkit::memory::{FileMapping, Region, RegionOptions, SharedMemory, Trust};

use crate::exit::Failure;
use crate::{advice, sys, units};

/// Named memory or a file.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Target {
    /// The name of the memory
    pub(super) name: Option<String>,
    /// Use this file instead of named memory
    #[arg(long, value_name = "PATH")]
    pub(super) file: Option<PathBuf>,
}

/// Open memory or an open file.
pub(super) enum Opened {
    Memory(SharedMemory),
    File(FileMapping),
}

impl Target {
    /// Opens it for reading, so that changes that others make later are seen.
    pub(super) fn open_to_follow(&self, trust: Trust) -> anyhow::Result<Opened> {
        match &self.file {
            Some(path) => {
                let options = FileMapping::options().read_only().follow_writers();
                Ok(Opened::File(options.open(path)?))
            }
            None => self.open(false, trust),
        }
    }

    pub(super) fn open(&self, writable: bool, trust: Trust) -> anyhow::Result<Opened> {
        match (&self.file, &self.name) {
            (Some(path), _) => {
                let options = FileMapping::options();
                let options = if writable { options } else { options.read_only() };
                Ok(Opened::File(options.open(path)?))
            }
            (None, name) => {
                let options = SharedMemory::options().trust(trust);
                let options = if writable { options } else { options.read_only() };
                let name = name.as_deref().unwrap_or_default();
                Ok(Opened::Memory(options.open(name).map_err(|error| not_opened(name, error))?))
            }
        }
    }

    /// Returns the name or the path.
    pub(super) fn label(&self) -> String {
        match &self.file {
            Some(path) => path.display().to_string(),
            None => self.name.clone().unwrap_or_default(),
        }
    }

    /// Returns the beginning of a JSON report: the name or the file.
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

    pub(super) fn size(&self) -> shmkit::Result<u64> {
        match self {
            Self::Memory(memory) => memory.size(),
            Self::File(file) => file.size(),
        }
    }

    /// Refuses memory or a file that was removed, and one that was truncated and does not contain
    /// these bytes any more.
    pub(super) fn check_contains(&self, offset: u64, length: usize) -> anyhow::Result<()> {
        let is_removed = match self {
            Self::Memory(memory) => memory.is_removed(),
            Self::File(file) => file.is_removed(),
        };
        // A system that does not tell says nothing about the bytes.
        if is_removed.unwrap_or(false) {
            let why = "it was removed: nobody else finds these bytes any more";
            return Err(Failure::Removed(why.to_owned()).into());
        }
        let size = self.size()?;
        if offset.saturating_add(length as u64) > size {
            bail!("it was truncated to {size} bytes, before the end of {length} bytes at {offset}");
        }
        Ok(())
    }
}

/// Says in words that no memory has the name.
fn not_opened(name: &str, error: shmkit::Error) -> anyhow::Error {
    // A reason of the library says more.
    let is_bare = error.os_error().is_some_and(|it| it.to_string() == error.reason());
    if error.kind() != ErrorKind::NotFound || !is_bare {
        return advice::explain(error);
    }
    let is_set = std::env::var_os("SHMKIT_DIR").is_some_and(|it| !it.is_empty());
    let other = if is_set { "; $SHMKIT_DIR is only for objects" } else { "" };
    let message = format!("cannot open \"{name}\": {}{other}", sys::raw::MISSING);
    Failure::Library { error, message }.into()
}

/// Returns a buffer of a length that another process chose.
pub(super) fn buffer(length: usize) -> anyhow::Result<Vec<u8>> {
    let mut buffer = Vec::new();
    if buffer.try_reserve_exact(length).is_err() {
        bail!("no memory for {length} bytes: read fewer at a time with --offset and --length");
    }
    buffer.resize(length, 0);
    Ok(buffer)
}

/// The bytes to read.
#[derive(Debug, clap::Args)]
pub(super) struct RangeArgs {
    /// Begin at this byte
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = units::bytes)]
    pub(super) offset: u64,
    /// Use this many bytes [default: up to the end]
    #[arg(long, value_name = "BYTES", value_parser = units::bytes)]
    pub(super) length: Option<u64>,
}

impl RangeArgs {
    /// Maps the bytes for reading.
    pub(super) fn map(&self, opened: &Opened) -> shmkit::Result<Region> {
        let region = opened.region().read_only().offset(self.offset);
        match self.length {
            Some(length) => region.length(usize::try_from(length).unwrap_or(usize::MAX)).map(),
            None => region.map(),
        }
    }
}
