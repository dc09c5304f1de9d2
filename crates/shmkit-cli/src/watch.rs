//! `shm watch`.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use serde_json::json;
use shmkit::{AnyChanges, AnyLatest, ErrorKind};

use crate::exit::Failure;
use crate::fields::{Chosen, check, choose};
use crate::global::Global;
use crate::presence_args::PresenceArgs;
use crate::timeout_args::TimeLimit;
use crate::{format, output, units};

/// Print each new value of a latest in a line of its own
///
/// The command sleeps between changes. It reports the death of a writer, a corrupt value and the
/// number of missed values on standard error, and continues. A value is missed if it was
/// overwritten before it was printed. Control characters in a text are escaped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm watch robot/pose
  shm watch robot/pose x y --time
  shm watch robot/pose mode --distinct
  shm watch robot/pose --count 1 --timeout 2s || echo \"the robot is silent\"
  shm watch robot/pose --json | jq .value.x")]
pub(crate) struct Args {
    /// The name of the object
    name: String,
    /// Print only these fields: `x`, `position.x`, `joints[2]`
    #[arg(value_name = "FIELD")]
    fields: Vec<String>,
    /// Begin with the value that is already set
    #[arg(long)]
    now: bool,
    /// Print a value only if it differs from the one in the line before
    ///
    /// With fields, a line is printed only when one of these fields changes.
    #[arg(long)]
    distinct: bool,
    /// Begin each line with the time at which this command read the value, in UTC
    #[arg(long)]
    time: bool,
    /// End after N lines [default: no limit]
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End with exit code 8 after this long without a line [default: no limit]
    #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    presence: PresenceArgs,
    /// Print a JSON object in each line: `sequence`, `missed` (before it), `value`, and with --time
    /// `time`
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let mut limit = TimeLimit::new(args.timeout);
    args.presence.wait(&args.name, limit, global)?;
    let object = global.open_latest(&args.name)?;
    let fields: Vec<_> = args.fields.iter().map(String::as_str).collect();
    check_fields(&object, &fields).with_context(|| format!("cannot watch \"{}\"", args.name))?;
    let changes = object.changes_since(match args.now {
        true => object.newest_whole().saturating_sub(1),
        false => object.sequence(),
    });
    let mut lines = Lines { args, changes, missed_before: 0, before: None };
    let mut shown = 0;
    while args.count.is_none_or(|count| shown < count) {
        let left = limit.left();
        let Some(bytes) = lines.next_value(left)? else { continue };
        if lines.print(&choose(object.schema(), &bytes, &fields)?)? {
            (shown, limit) = (shown + 1, TimeLimit::new(args.timeout));
        } else if left == Some(Duration::ZERO) {
            // Values that do not differ can come one after the other.
            return Err(lines.timed_out());
        }
    }
    Ok(())
}

/// Refuses a wrong field at once, and not at the first change.
fn check_fields(object: &AnyLatest, fields: &[&str]) -> shmkit::Result<()> {
    match object.get() {
        Ok(now) => choose(object.schema(), &now, fields).map(drop),
        Err(_) => check(object.schema(), fields),
    }
}

/// The lines that were printed.
struct Lines<'a> {
    args: &'a Args,
    changes: AnyChanges,
    /// How many values had been missed at the last line.
    missed_before: u64,
    /// The text of the last line, if only different ones are printed.
    before: Option<String>,
}

impl Lines<'_> {
    /// Returns the next value. None after news that was reported.
    fn next_value(&mut self, left: Option<Duration>) -> anyhow::Result<Option<Vec<u8>>> {
        let error = match self.changes.next(left) {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) => error,
        };
        // Reported once each; the next value may be sound.
        match error.kind() {
            ErrorKind::PeerDied => {
                output::note(format_args!("\"{}\": {}", self.args.name, error.reason()));
            }
            ErrorKind::Corrupt => output::note(error),
            _ => return Err(error.into()),
        }
        // There may be one such error after the other.
        if left == Some(Duration::ZERO) { Err(self.timed_out()) } else { Ok(None) }
    }

    fn timed_out(&self) -> anyhow::Error {
        let which = if self.args.distinct { "no other value" } else { "no value" };
        let why = format!("{which} was set before the timeout expired");
        Failure::NotNow(format!("cannot wait for \"{}\": {why}", self.args.name)).into()
    }

    /// Prints a line, unless it would be the same as the one before. Returns whether it did.
    fn print(&mut self, value: &Chosen<'_>) -> anyhow::Result<bool> {
        let text = value.one_line();
        if self.args.distinct && self.before.as_ref() == Some(&text) {
            return Ok(false);
        }
        let missed = self.changes.missed() - self.missed_before;
        self.missed_before = self.changes.missed();
        let time = self.args.time.then(|| format::exact_timestamp(SystemTime::now()));
        if self.args.json {
            let sequence = self.changes.sequence();
            let mut report =
                json!({ "sequence": sequence, "missed": missed, "value": value.json() });
            if let Some(time) = time {
                report["time"] = json!(time);
            }
            output::line(report)?;
        } else {
            if missed > 0 {
                output::note(format_args!("missed {missed}"));
            }
            match time {
                Some(time) => output::line(format_args!("{time} {text}"))?,
                None => output::line(&text)?,
            }
        }
        if self.args.distinct {
            self.before = Some(text);
        }
        Ok(true)
    }
}
