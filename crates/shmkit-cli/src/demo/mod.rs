//! `shm demo`: what the library promises, tried out here and now.
//!
//! | file | what it does |
//! |---|---|
//! | `values` | values that prove of themselves that they are whole |
//! | `roles` | what writer and reader do, each a process of its own |
//! | `processes` | starts them, listens to them, cleans up after them |
//! | `death` | kills a writer half-way through a write |
//! | `report` | what came out, in words and as JSON, and which promises did not hold |

mod death;
mod processes;
mod report;
mod roles;
mod values;

use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use shmkit::Latest;

use self::processes::{Place, Process};
use self::report::{Report, Sharing};
use self::roles::Role;
use self::values::Beat;
use crate::{Global, output, units};

/// The first argument when the demonstration runs this program again. No subcommand, so that no
/// help, manual or completion shows it.
const PART_OF_DEMO: &str = "part-of-demo";
/// The parts of the demonstration, each with an object of its own; the last ones are tries.
const PARTS: [&str; 5] = ["paced", "flat-out", "death", "second-death", "third-death"];
/// The pace of the first part.
const EVERY: Duration = Duration::from_millis(10);

/// Share, measure, kill: see the promises hold on this machine
///
/// A writer and a reader, two processes, share time stamps every 10 ms, then as fast as they can.
/// Each value can be checked for being whole. Then the writer is killed half-way through a write,
/// the reader says what it is told, and a new writer carries on. It takes about 5 seconds, in a
/// place of its own that is gone afterwards. The exit code is 1 where a promise did not hold. On a
/// busy machine, a death that is told late is tried up to 3 times, and the best is shown; what a
/// waiting reader costs is judged from 1 second on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm demo
  shm demo --json | jq .paced.delay_us
  shm --dir /tmp demo      through files on a disk")]
pub(crate) struct Args {
    /// How long each of the first two parts takes, 100ms or more
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = long_enough)]
    during: Duration,
    /// Print a JSON object: `paced`, `flat_out`, `after_kill`, `broken` promises
    #[arg(long)]
    json: bool,
}

/// A time in which values can be counted at [`EVERY`].
fn long_enough(text: &str) -> Result<Duration, String> {
    let during = units::duration(text)?;
    if during < EVERY * 10 { Err("it must be 100ms or more".into()) } else { Ok(during) }
}

/// What this process is to do if a demonstration has started it.
pub(crate) fn run_as_part() -> Option<anyhow::Result<()>> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    (arguments.peek()? == PART_OF_DEMO).then(|| roles::run(&roles::Args::parse_from(arguments)))
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let place = Place::new(global.directory())?;
    let narrator = Narrator { silent: args.json };
    let beats = place.make(PARTS[0])?;
    narrator.say(format_args!(
        "A writer and a reader, two processes, share values of {} bytes in {}.\n",
        size_of::<Beat>(),
        place.directory.display(),
    ))?;
    narrator.heading("A time stamp every 10 ms")?;
    let paced = share(&place, &beats, Some(EVERY), args.during)?;
    narrator.say(paced.words())?;
    narrator.heading("As fast as they can")?;
    let flat_out = share(&place, &place.make(PARTS[1])?, None, args.during)?;
    narrator.say(flat_out.words())?;
    narrator.heading("The writer is killed half-way through a write")?;
    let after_kill = death::kill_until_told_soon(&place, &PARTS[2..])?;
    narrator.say(after_kill.words())?;
    let report = Report { during: args.during, paced, flat_out, after_kill };
    if args.json {
        output::line(report.json())?;
    }
    report.verdict()?;
    narrator.say("All promises held.")
}

/// Tells people; scripts get the JSON alone.
struct Narrator {
    silent: bool,
}

impl Narrator {
    fn say(&self, words: impl std::fmt::Display) -> anyhow::Result<()> {
        if !self.silent {
            output::line(words)?;
        }
        Ok(())
    }

    fn heading(&self, words: &str) -> anyhow::Result<()> {
        let (bold, plain) = output::bold();
        self.say(format_args!("{bold}{words}{plain}"))
    }
}

/// A writer and a reader share time stamps, for `during`.
fn share(
    place: &Place,
    beats: &Latest<Beat>,
    every: Option<Duration>,
    during: Duration,
) -> anyhow::Result<Sharing> {
    let start =
        |role, options: &[&str]| Process::start(role, &place.directory, beats.name(), options);
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
    Sharing::from_reports(&written, &seen).context("a process reported something else")
}
