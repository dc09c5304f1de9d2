//! The `shm` command: inspect, change and repair the objects that processes share.
//!
//! Each subcommand is a module: its `Args` are the command line, its `run` does the work. To add a
//! subcommand, add the module and a variant of [`Command`].
//!
//! The command knows no kinds of object beyond the subcommands that are made for one: `ls`, `info`
//! and `doctor` show what the library describes.
#![deny(unsafe_code)]

mod advice;
mod barrier;
mod bench;
mod call;
mod clock;
mod command_args;
mod completions;
mod create;
mod create_args;
mod dead_letters;
mod demo;
mod description;
mod doctor;
mod event;
mod exit;
mod fields;
mod figures;
mod format;
mod get;
mod global;
mod info;
mod json;
mod lock;
mod ls;
mod man;
mod messages;
mod output;
mod pace;
mod pipe;
mod presence_args;
mod queue;
mod raw;
mod rm;
mod sem;
mod set;
mod show;
mod source;
mod stats;
mod stop;
mod sys;
mod table;
mod timeout_args;
mod top;
mod topic;
mod type_args;
mod types;
mod units;
mod value;
mod watch;
mod worker;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use self::global::Global;

/// Inspect, change and repair objects in shared memory
///
/// An object describes itself: its file contains its name, its kind and the layout of its type. So
/// this command can read the object, even after the program that created it has ended. It can also
/// change the object: it waits while another process has the right to write.
#[derive(Debug, Parser)]
#[command(name = "shm", bin_name = "shm", version)]
#[command(after_help = exit::table(), max_term_width = 100)]
struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Bench(bench::Args),
    Ls(ls::Args),
    Top(top::Args),
    Info(info::Args),
    Get(get::Args),
    Set(set::Args),
    Create(create::Args),
    Watch(watch::Args),
    Clock(clock::Args),
    Lock(lock::Args),
    Sem(sem::Args),
    Event(event::Args),
    Barrier(barrier::Args),
    Topic(topic::Args),
    Queue(queue::Args),
    Call(call::Args),
    Pipe(pipe::Args),
    Rm(rm::Args),
    Doctor(doctor::Args),
    Raw(raw::Args),
    Completions(completions::Args),
    Man(man::Args),
}

fn run(line: CommandLine) -> anyhow::Result<()> {
    let global = &line.global;
    let runs_a_command = matches!(&line.command, Command::Lock(_) | Command::Sem(_));
    // If the system refuses it, the command runs nevertheless: only such an end has no message.
    let _ = sys::explain_sudden_ends(exit::unexplained(runs_a_command));
    match line.command {
        Command::Demo(args) => demo::run(&args, global),
        Command::Bench(args) => bench::run(&args, global),
        Command::Ls(args) => ls::run(&args, global),
        Command::Top(args) => top::run(&args, global),
        Command::Info(args) => info::run(&args, global),
        Command::Get(args) => get::run(&args, global),
        Command::Set(args) => set::run(&args, global),
        Command::Create(args) => create::run(&args, global),
        Command::Watch(args) => watch::run(&args, global),
        Command::Clock(args) => clock::run(&args, global),
        Command::Lock(args) => lock::run(&args, global),
        Command::Sem(args) => sem::run(&args, global),
        Command::Event(args) => event::run(&args, global),
        Command::Barrier(args) => barrier::run(&args, global),
        Command::Topic(args) => topic::run(&args, global),
        Command::Queue(args) => queue::run(&args, global),
        Command::Call(args) => call::run(&args, global),
        Command::Pipe(args) => pipe::run(&args, global),
        Command::Rm(args) => rm::run(&args, global),
        Command::Doctor(args) => doctor::run(&args, global),
        Command::Raw(args) => raw::run(args, global),
        Command::Completions(args) => completions::run(&args, &mut CommandLine::command()),
        Command::Man(args) => man::run(&args, CommandLine::command()),
    }
}

/// Parses the command line. If an argument has control characters, an error about the command line
/// is printed without styles and without those characters.
fn parse() -> CommandLine {
    CommandLine::try_parse().unwrap_or_else(|error| {
        let is_plain = |it: OsString| !it.to_string_lossy().contains(char::is_control);
        if !error.use_stderr() || std::env::args_os().all(is_plain) {
            error.exit();
        }
        let message = error.render().to_string();
        let message = output::escaped(&message, |letter| letter == '\n' || letter == '\t');
        let _ = std::io::stderr().write_all(message.as_bytes());
        std::process::exit(error.exit_code());
    })
}

fn main() -> ExitCode {
    sys::explain_lack_of_memory();
    let part = || demo::run_as_part().or_else(bench::run_as_part);
    let run = || part().unwrap_or_else(|| run(parse()));
    exit::code(sys::end_on_request().and_then(|()| run()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_of_the_command_line_are_consistent() {
        CommandLine::command().debug_assert();
    }
}
