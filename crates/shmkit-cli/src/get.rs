//! `shm get`.

use anyhow::Context;

use crate::{Global, output, value};

/// Print the latest value of an object, or a part of it
///
/// A text or a character alone is printed as it is; within a larger value it has quotes, so that
/// what is printed can be given to `shm set`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm get robot/pose
  shm get robot/arm 'joints[2].angle'
  shm get robot/pose --json | jq .x")]
pub(crate) struct Args {
    /// The name of the object
    name: String,
    /// Which part: `x`, `position.x`, `joints[2]`
    #[arg(value_name = "FIELD")]
    field: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    /// Print it over several lines
    #[arg(long)]
    pretty: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let object = global.open(&args.name)?;
    let schema = object.schema();
    if let Some(field) = &args.field {
        // What no value can have is told first.
        schema.part(field).with_context(|| format!("cannot get \"{}\"", args.name))?;
    }
    let bytes = object.get()?;
    let value = match &args.field {
        Some(field) => schema.read_part(&bytes, field),
        None => schema.read(&bytes),
    };
    let value = value.with_context(|| format!("cannot get \"{}\"", args.name))?;
    let shown = match (args.json, args.pretty) {
        (true, true) => format!("{:#}", value::json(&value)),
        (true, false) => value::json(&value).to_string(),
        (false, true) => format!("{value:#}"),
        (false, false) => value::line(&value),
    };
    Ok(output::line(shown)?)
}
