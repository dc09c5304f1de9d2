//! `shm raw`: memory and files without any structure.

mod create;
mod dump;
mod hex;
mod read;
mod rm;
mod target;
mod write;

use crate::Global;
use crate::exit::Usage;

/// Share bytes without structure: named memory and files, also with programs that do not use shmkit
///
/// NAME is what `shm_open`, Boost's `shared_memory_object` and Python's `SharedMemory` know by that
/// name: the file of that name in /dev/shm. With `--file PATH` in its place it is any file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Create(create::Args),
    Write(write::Args),
    Read(read::Args),
    Dump(dump::Args),
    Rm(rm::Args),
}

pub(crate) fn run(args: Args, global: &Global) -> anyhow::Result<()> {
    if global.dir.is_some() {
        let why =
            "--dir is for objects of shmkit: raw memory is in /dev/shm, and a file is a --file";
        return Err(Usage(why.to_owned()).into());
    }
    match args.command {
        Command::Create(args) => create::run(&args),
        Command::Write(args) => write::run(&args, global.trust),
        Command::Read(args) => read::run(&args, global.trust),
        Command::Dump(args) => dump::run(&args, global.trust),
        Command::Rm(args) => rm::run(&args),
    }
}
