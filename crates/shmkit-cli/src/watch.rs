//! `shm watch`.

use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use shmkit::ErrorKind;

use crate::{Global, output, units, value};

/// Print a line for each change of an object
///
/// It sleeps in between. When a writer dies, standard error says so, and watching goes on for the
/// next writer. What was overwritten before it could be printed is counted there, too. Line ends
/// and other control characters in a text are printed as `\n` and the like.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm watch robot/pose
  shm watch robot/pose x --count 10
  shm watch robot/pose --count 1 --timeout 2s || echo \"the robot is silent\"
  shm watch robot/pose --json | jq .value.x")]
pub(crate) struct Args {
    /// The name of the object
    name: String,
    /// Which part: `x`, `position.x`, `joints[2]`
    #[arg(value_name = "FIELD")]
    field: Option<String>,
    /// Begin with the value that is there already
    #[arg(long)]
    now: bool,
    /// End after that many lines
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End, with exit code 8, when nothing has changed for this long
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    timeout: Option<Duration>,
    /// Print a JSON object on each line: `sequence`, `missed` before it, `value`
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let object = global.open(&args.name)?;
    let schema = object.schema();
    if let Some(field) = &args.field {
        // What is wrong with it is told at once, not at the first change.
        let part = match object.get() {
            Ok(now) => schema.read_part(&now, field).map(|_| ()),
            Err(_) => schema.part(field).map(|_| ()),
        };
        part.with_context(|| format!("cannot watch \"{}\"", args.name))?;
    }
    let mut changes = object.changes_since(match args.now {
        true => object.sequence().saturating_sub(1),
        false => object.sequence(),
    });
    let (mut shown, mut missed_before) = (0, 0);
    while args.count.is_none_or(|count| shown < count) {
        let bytes = match changes.next(args.timeout) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::PeerDied => {
                output::note(without_action(&error, &args.name));
                continue;
            }
            // That value is skipped.
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                output::note(error);
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
        shown += 1;
    }
    Ok(())
}

/// News that is no failure: `"pose": its writer, process 12 (planner), in slot 0, died; ...`.
fn without_action(error: &shmkit::Error, name: &str) -> String {
    let message = error.to_string();
    let start = message.find(&format!("\"{name}\"")).unwrap_or(0);
    message[start..].to_owned()
}
