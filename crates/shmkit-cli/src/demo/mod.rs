//! `shm demo`: tries the promises of the library on this machine.
//!
//! | file | what is in it |
//! |---|---|
//! | `values` | values that show whether they are whole |
//! | `roles` | what the writer and the reader do, each in a process of its own |
//! | `processes` | starting, reading and ending these processes; creating and removing objects |
//! | `death` | killing a writer half-way through a write |
//! | `report` | the results as text and as JSON, and the broken promises |

mod death;
mod processes;
mod report;
mod roles;
mod values;

use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use shmkit::Latest;

use self::processes::{Objects, PARTS, Process};
use self::report::{Report, Sharing};
use self::roles::Role;
use self::values::Stamp;
use crate::global::Global;
use crate::{output, units};

/// The time between two values of the first part.
const EVERY: Duration = Duration::from_millis(10);

/// Run a demonstration: share values, measure, kill a writer
///
/// Two processes, a writer and a reader, share time stamps every 10 ms, and then as fast as they
/// can. The reader checks that each value is whole. Then the writer is killed half-way through a
/// write, the reader gets a death notice, and a new writer continues. The demonstration takes about
/// 5 seconds and removes its objects.
///
/// The exit code is 1 if a promise was broken. A busy machine can delay the death notice: there are
/// up to 3 tries, and the best is shown. The processor time of the waiting reader is judged only if
/// --during is 1s or more.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm demo
  shm demo --json | jq .paced.delay_us
  shm --dir /tmp demo      through files on a disk")]
pub(crate) struct Args {
    /// Run each of the first two parts for this time, 100ms or more
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = part_duration)]
    during: Duration,
    /// Print a JSON object: `paced`, `flat_out`, `after_kill`, and the promises in `broken`
    #[arg(long)]
    json: bool,
}

/// Parses a time that is long enough for several values at [`EVERY`].
fn part_duration(text: &str) -> Result<Duration, String> {
    let during = units::duration(text)?;
    if during < EVERY * 10 { Err("the time must be 100ms or more".into()) } else { Ok(during) }
}

/// Runs this process as a part of a demonstration, if one has started it.
pub(crate) fn run_as_part() -> Option<anyhow::Result<()>> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let is_part = arguments.peek()? == roles::PART_OF_DEMO;
    is_part.then(|| roles::run(&roles::Args::parse_from(arguments)))
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let objects = Objects::new(global.directory())?;
    let stamps = objects.create(PARTS[0])?;
    let narrator = Narrator { silent: args.json };
    narrator.say(format_args!(
        "Two processes, a writer and a reader, share values of {} bytes in {}.\n",
        size_of::<Stamp>(),
        objects.directory.display(),
    ))?;
    narrator.heading("A time stamp every 10 ms")?;
    let paced = share(&objects, &stamps, Some(EVERY), args.during)?;
    narrator.say(paced.text())?;
    narrator.heading("As fast as they can")?;
    let flat_out = share(&objects, &objects.create(PARTS[1])?, None, args.during)?;
    narrator.say(flat_out.text())?;
    narrator.heading("The writer is killed half-way through a write")?;
    let after_kill = death::kill_until_told_in_time(&objects, &PARTS[2..])?;
    narrator.say(after_kill.text())?;
    let report = Report { during: args.during, paced, flat_out, after_kill };
    if args.json {
        output::line(report.json())?;
    }
    report.verdict()?;
    narrator.say("All promises held.")
}

/// Prints text, unless the output is JSON.
struct Narrator {
    silent: bool,
}

impl Narrator {
    fn say(&self, text: impl std::fmt::Display) -> anyhow::Result<()> {
        if !self.silent {
            output::line(text)?;
        }
        Ok(())
    }

    fn heading(&self, text: &str) -> anyhow::Result<()> {
        let (bold, plain) = output::bold();
        self.say(format_args!("{bold}{text}{plain}"))
    }
}

/// Has a writer and a reader share time stamps, for `during`.
fn share(
    objects: &Objects,
    stamps: &Latest<Stamp>,
    every: Option<Duration>,
    during: Duration,
) -> anyhow::Result<Sharing> {
    let start =
        |role, options: &[&str]| Process::start(role, &objects.directory, stamps.name(), options);
    let mut reader = start(Role::Reader, &[])?;
    reader.report()?;
    let during = format!("{}ns", during.as_nanos());
    let mut options = vec!["--during", &during];
    let pace = every.map(|every| format!("{}ns", every.as_nanos()));
    if let Some(pace) = &pace {
        options.extend(["--every", pace]);
    }
    let mut writer = start(Role::Writer, &options)?;
    let written = writer.report()?;
    let seen = reader.report()?;
    Sharing::from_reports(&written, &seen).context("a report of a process is incomplete")
}
