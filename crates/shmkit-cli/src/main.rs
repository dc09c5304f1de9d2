//! The `shm` command: look into, change and repair what processes share.
//!
//! One module for each subcommand: its `Args` are its command line, its `run` does it. To add one,
//! add the module and a variant of [`Command`].

mod completions;
mod exit;
mod man;
mod output;
mod raw;
mod units;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Look into, change and repair what processes share
#[derive(Debug, Parser)]
#[command(name = "shm", version, after_help = exit::table(), max_term_width = 100)]
struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every subcommand understands.
#[derive(Debug, clap::Args)]
struct Global {
    /// The directory of the objects, in place of what SHMKIT_DIR says, or /dev/shm
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Raw(raw::Args),
    Completions(completions::Args),
    Man(man::Args),
}

fn run(line: CommandLine) -> anyhow::Result<()> {
    match line.command {
        Command::Raw(args) => raw::run(args, &line.global),
        Command::Completions(args) => completions::run(&args, &mut CommandLine::command()),
        Command::Man(args) => man::run(&args, CommandLine::command()),
    }
}

fn main() -> ExitCode {
    exit::code(run(CommandLine::parse()))
}
