//! `shm raw`: memory and files without structure.

mod create;
mod dump;
mod hex;
mod ls;
mod read;
mod rm;
mod target;
mod write;

use std::path::PathBuf;

use crate::exit::Failure;
use crate::global::Global;
use crate::sys;

/// Read and write raw shared memory and files, also of programs that do not use shmkit
#[derive(Debug, clap::Args)]
#[command(long_about = about(), arg = hidden_dir())]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Ls(ls::Args),
    Create(create::Args),
    Write(write::Args),
    Read(read::Args),
    Dump(dump::Args),
    Rm(rm::Args),
}

/// Returns `--dir`, which the help does not offer: it is only for objects.
fn hidden_dir() -> clap::Arg {
    let dir = clap::Arg::new("dir").long("dir").value_name("DIR");
    dir.value_parser(clap::value_parser!(PathBuf)).global(true).hide(true)
}

fn about() -> String {
    format!(
        "Read and write raw shared memory and files, also of programs that do not use \
         shmkit\n\n{}. $SHMKIT_DIR does not apply to it. With `--file PATH` instead of NAME the \
         command uses any file.",
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
        Command::Ls(args) => ls::run(&args),
        Command::Create(args) => create::run(&args),
        Command::Write(args) => write::run(&args, global.trust),
        Command::Read(args) => read::run(&args, global.trust),
        Command::Dump(args) => dump::run(&args, global.trust),
        Command::Rm(args) => rm::run(&args),
    }
}
