//! `shm raw`: memory and files without any structure.

mod create;
mod dump;
mod hex;
mod read;
mod rm;
mod target;
mod write;

use crate::exit::Usage;
use crate::{Global, sys};

/// Share bytes without structure: named memory and files, also with programs that do not use shmkit
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
    let names = sys::raw::NAME;
    format!(
        "Share bytes without structure: named memory and files, also with programs that do not use \
         shmkit\n\n{names}. With `--file PATH` in its place it is any file."
    )
}

pub(crate) fn run(args: Args, global: &Global) -> anyhow::Result<()> {
    if global.dir.is_some() {
        let why = format!(
            "--dir is for objects of shmkit: raw memory is {}, and a file is a --file",
            sys::raw::PLACE
        );
        return Err(Usage(why).into());
    }
    match args.command {
        Command::Create(args) => create::run(&args),
        Command::Write(args) => write::run(&args, global.trust),
        Command::Read(args) => read::run(&args, global.trust),
        Command::Dump(args) => dump::run(&args, global.trust),
        Command::Rm(args) => rm::run(&args),
    }
}
