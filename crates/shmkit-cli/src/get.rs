//! `shm get`.

use anyhow::Context;

use crate::fields::{check, choose};
use crate::global::Global;
use crate::output;
use crate::presence_args::PresenceArgs;
use crate::source::Source;
use crate::timeout_args::TimeoutArgs;

/// Print the value of an object, or some fields of it
///
/// The object is a latest, a lock with a value, or a group: then the value is that of one lock in
/// the group, and each FIELD begins with the number of that lock. The value in a lock is read while
/// this process holds the lock: together with other readers, if it is an rwlock.
///
/// The output, also the JSON, can be passed to `shm set`. A single text or character is printed
/// without quotes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm get robot/pose
  shm get robot/pose x y
  shm get robot/arm 'joints[2].angle'
  shm get robot/limits --timeout 2
  shm get robot/parts 1.speed
  shm get robot/pose --json | jq .x")]
pub(crate) struct Args {
    /// The name of the object
    name: String,
    /// Print only these fields: `x`, `position.x`, `joints[2]`
    ///
    /// In a group, a field begins with the number of the part, as `shm info` shows it: `0`,
    /// `2.1.x`.
    #[arg(value_name = "FIELD")]
    fields: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print one line for each field
    #[arg(long)]
    pretty: bool,
    #[command(flatten)]
    timeout_args: TimeoutArgs,
    #[command(flatten)]
    presence: PresenceArgs,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let (name, limit) = (&args.name, args.timeout_args.limit());
    args.presence.wait(name, limit, global)?;
    let (source, fields) = Source::open(name, "get", (&args.fields, &['.']), limit, global)?;
    let schema = source.schema();
    let doing = || format!("cannot get \"{name}\"");
    // A wrong field is reported even if there is no value yet.
    check(schema, &fields).with_context(doing)?;
    let bytes = source.get(name, limit)?;
    let value = choose(schema, &bytes, &fields).with_context(doing)?;
    let shown = match (args.json, args.pretty) {
        (true, true) => format!("{:#}", value.json()),
        (true, false) => value.json().to_string(),
        (false, true) => value.pretty(),
        (false, false) => value.plain(),
    };
    Ok(output::line(shown)?)
}
