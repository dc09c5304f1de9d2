//! `shm watch`.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;
use shmkit::ErrorKind;

use crate::exit::{self, Failure};
use crate::global::Global;
use crate::{output, units, value};

/// Print each new value of an object in a line of its own
///
/// The command sleeps between changes. It reports the death of a writer, a corrupt value and the
/// number of missed values on standard error, and continues. A value is missed if it was
/// overwritten before it was printed. Control characters in a text are escaped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm watch robot/pose
  shm watch robot/pose x --count 10
  shm watch robot/pose --count 1 --timeout 2s || echo \"the robot is silent\"
  shm watch robot/pose --json | jq .value.x")]
pub(crate) struct Args {
    /// The name of the object
    name: String,
    /// Print only this field: `x`, `position.x`, `joints[2]`
    #[arg(value_name = "FIELD")]
    field: Option<String>,
    /// Begin with the value that is already set
    #[arg(long)]
    now: bool,
    /// End after N lines [default: no limit]
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End with exit code 8 after this long without a change [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    timeout: Option<Duration>,
    /// Print a JSON object in each line: `sequence`, `missed` (before it), `value`
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let object = global.open_latest(&args.name)?;
    let schema = object.schema();
    if let Some(field) = &args.field {
        // A wrong field is reported at once, and not at the first change.
        let part = match object.get() {
            Ok(now) => schema.read_part(&now, field).map(|_| ()),
            Err(_) => schema.part(field).map(|_| ()),
        };
        part.with_context(|| format!("cannot watch \"{}\"", args.name))?;
    }
    let mut changes = object.changes_since(match args.now {
        true => object.newest_whole().saturating_sub(1),
        false => object.sequence(),
    });
    let (mut shown, mut missed_before, mut since) = (0, 0, Instant::now());
    while args.count.is_none_or(|count| shown < count) {
        let left = args.timeout.map(|timeout| timeout.saturating_sub(since.elapsed()));
        let bytes = match changes.next(left) {
            Ok(bytes) => bytes,
            // Reported once each; the next value may be sound.
            Err(error) if matches!(error.kind(), ErrorKind::PeerDied | ErrorKind::Corrupt) => {
                match error.kind() {
                    ErrorKind::PeerDied => {
                        output::note(format_args!("\"{}\": {}", args.name, error.reason()));
                    }
                    _ => output::note(error),
                }
                // There may be one such error after the other.
                if left == Some(Duration::ZERO) {
                    let why = "no value was set before the timeout expired";
                    output::note(format_args!("cannot wait for \"{}\": {why}", args.name));
                    return Err(Failure::Reported(exit::NOT_NOW).into());
                }
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let missed = changes.missed() - missed_before;
        missed_before = changes.missed();
        let value = match &args.field {
            Some(field) => schema.read_part(&bytes, field)?,
            None => schema.read(&bytes)?,
        };
        if args.json {
            let value = value::json(&value);
            let sequence = changes.sequence();
            output::line(json!({ "sequence": sequence, "missed": missed, "value": value }))?;
        } else {
            if missed > 0 {
                output::note(format_args!("missed {missed}"));
            }
            output::line(value::one_line(&value))?;
        }
        (shown, since) = (shown + 1, Instant::now());
    }
    Ok(())
}
