//! `shm get`.

use anyhow::Context;

use crate::global::Global;
use crate::{output, value};

/// Print the latest value of an object, or one field of it
///
/// The output can be passed to `shm set`. A single text or character is printed without quotes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm get robot/pose
  shm get robot/arm 'joints[2].angle'
  shm get robot/pose --json | jq .x")]
pub(crate) struct Args {
    /// The name of the object
    name: String,
    /// Print only this field: `x`, `position.x`, `joints[2]`
    #[arg(value_name = "FIELD")]
    field: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print one line for each field
    #[arg(long)]
    pretty: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let object = global.open_latest(&args.name)?;
    let schema = object.schema();
    if let Some(field) = &args.field {
        // A wrong field is reported even if there is no value yet.
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
        (false, false) => value::plain(&value),
    };
    Ok(output::line(shown)?)
}
