//! `shm raw`: memory and files without structure.

mod create;
mod dump;
mod hex;
mod read;
mod rm;
mod target;
mod write;

use crate::exit::Failure;
use crate::global::Global;
use crate::sys;

/// Read and write raw shared memory and files, also of programs that do not use shmkit
#[derive(Debug, clap::Args)]
#[command(long_about = about())]
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

fn about() -> String {
    format!(
        "Read and write raw shared memory and files, also of programs that do not use \
         shmkit\n\n{}. With `--file PATH` instead of NAME the command uses any file.",
        sys::raw::NAME
    )
}

pub(crate) fn run(args: Args, global: &Global) -> anyhow::Result<()> {
    if global.dir.is_some() {
        let why = format!(
            "--dir is for objects: raw memory is {}, and --file names a file",
            sys::raw::PLACE
        );
        return Err(Failure::Usage(why).into());
    }
    match args.command {
        Command::Create(args) => create::run(&args),
        Command::Write(args) => write::run(&args, global.trust),
        Command::Read(args) => read::run(&args, global.trust),
        Command::Dump(args) => dump::run(&args, global.trust),
        Command::Rm(args) => rm::run(&args),
    }
}
