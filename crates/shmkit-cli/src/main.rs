//! The `shm` command: look into, change and repair what processes share.
//!
//! One module for each subcommand: its `Args` are its command line, its `run` does it. To add one,
//! add the module and a variant of [`Command`].
#![deny(unsafe_code)]

mod advice;
mod barrier;
mod clock;
mod completions;
mod create_args;
mod demo;
mod description;
mod doctor;
mod event;
mod exit;
mod format;
mod get;
mod info;
mod lock;
mod ls;
mod man;
mod output;
mod pace;
mod primitive;
mod raw;
mod rm;
mod running;
mod sem;
mod set;
mod sys;
mod table;
mod timeout_args;
mod units;
mod value;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use shmkit::{AnyLatest, Trust};

/// Look into, change and repair what processes share
///
/// An object describes itself: its file carries its name, its kind and the layout of its type. So
/// it can be read, and changed where no sole writer lives, also when the program that made it is
/// gone.
#[derive(Debug, Parser)]
#[command(name = "shm", bin_name = "shm", version)]
#[command(after_help = exit::table(), max_term_width = 100)]
struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every subcommand understands.
#[derive(Debug, clap::Args)]
struct Global {
    #[arg(long, global = true, value_name = "DIR", help = help_of_dir())]
    dir: Option<PathBuf>,
    /// Whose objects are opened: `own` (yours and the administrator's), `anyone`, or the number of
    /// a user
    ///
    /// In a directory that all may write to, anybody can lie in wait under a name.
    #[arg(long, global = true, value_name = "WHOSE", default_value = "own", value_parser = trust)]
    #[arg(hide_short_help = true, hide_default_value = true)]
    trust: Trust,
}

fn help_of_dir() -> String {
    let usual = shmkit::default_directory();
    format!("The directory of the objects, in place of that of SHMKIT_DIR, or {}", usual.display())
}

fn trust(text: &str) -> Result<Trust, String> {
    match (text, text.parse()) {
        ("own", _) => Ok(Trust::Own),
        ("anyone", _) => Ok(Trust::Anyone),
        (_, Ok(user)) => Ok(Trust::User(user)),
        _ => Err("there are own, anyone, and numbers of users".into()),
    }
}

impl Global {
    fn directory(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(shmkit::default_directory)
    }

    /// Opens an object by the description that it carries.
    fn open(&self, name: &str) -> anyhow::Result<AnyLatest> {
        let directory = self.directory();
        let object = AnyLatest::open(Some(&directory), name, self.trust);
        object.map_err(|error| advice::explained(error, &directory))
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Ls(ls::Args),
    Info(info::Args),
    Get(get::Args),
    Set(set::Args),
    Watch(watch::Args),
    Clock(clock::Args),
    Lock(lock::Args),
    Sem(sem::Args),
    Event(event::Args),
    Barrier(barrier::Args),
    Rm(rm::Args),
    Doctor(doctor::Args),
    Raw(raw::Args),
    Completions(completions::Args),
    Man(man::Args),
}

fn run(line: CommandLine) -> anyhow::Result<()> {
    let global = &line.global;
    match line.command {
        Command::Demo(args) => demo::run(&args, global),
        Command::Ls(args) => ls::run(&args, global),
        Command::Info(args) => info::run(&args, global),
        Command::Get(args) => get::run(&args, global),
        Command::Set(args) => set::run(&args, global),
        Command::Watch(args) => watch::run(&args, global),
        Command::Clock(args) => clock::run(&args, global),
        Command::Lock(args) => lock::run(&args, global),
        Command::Sem(args) => sem::run(&args, global),
        Command::Event(args) => event::run(&args, global),
        Command::Barrier(args) => barrier::run(&args, global),
        Command::Rm(args) => rm::run(&args, global),
        Command::Doctor(args) => doctor::run(&args, global),
        Command::Raw(args) => raw::run(args, global),
        Command::Completions(args) => completions::run(&args, &mut CommandLine::command()),
        Command::Man(args) => man::run(&args, CommandLine::command()),
    }
}

fn main() -> ExitCode {
    exit::code(demo::run_as_part().unwrap_or_else(|| run(CommandLine::parse())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_of_the_command_line_agree_with_each_other() {
        CommandLine::command().debug_assert();
    }
}
