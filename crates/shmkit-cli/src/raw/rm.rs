//! `shm raw rm`.

use anyhow::Context;
use shmkit::memory::SharedMemory;

use super::target::Target;

/// Remove named memory, or a file with --file
///
/// Processes that have it open keep it. On Windows memory cannot be removed: it disappears when the
/// last process closes it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    match (&args.target.file, &args.target.name) {
        (Some(path), _) => std::fs::remove_file(path)
            .with_context(|| format!("cannot remove \"{}\"", path.display())),
        (None, name) => Ok(SharedMemory::remove(name.as_deref().unwrap_or_default())?),
    }
}
