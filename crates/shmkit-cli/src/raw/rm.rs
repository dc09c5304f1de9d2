//! `shm raw rm`.

use anyhow::Context;
use shmkit::memory::SharedMemory;

use super::target::Target;

/// Remove memory, or with --file a file: who has it keeps it
///
/// On Windows memory cannot be removed: it goes with the last who has it.
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
