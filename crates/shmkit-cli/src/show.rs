//! The `show` subcommands of primitives.

use shmkit::Kind;
use shmkit::inspect::PartState;

use crate::exit::Failure;
use crate::global::Global;
use crate::{description, json, output};

/// The arguments of `show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The name of the object
    name: String,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the state of an object of this kind, and returns it.
pub(crate) fn show(args: &ShowArgs, kind: Kind, global: &Global) -> anyhow::Result<PartState> {
    let it = global.describe(&args.name)?;
    let Some(part) = it.only_part().filter(|part| part.kind == kind) else {
        let (name, found, asked) = (&args.name, it.kind.as_str(), kind.as_str());
        let why =
            format!("cannot show \"{name}\": it is of kind {found}, and {asked} was asked for");
        return Err(Failure::WrongKind(why).into());
    };
    if args.json {
        output::line(json::part(part))?;
    } else {
        output::line(description::heading(part))?;
        for holder in &part.state.holders {
            output::line(format_args!("  {}", description::sentence(holder)))?;
        }
    }
    Ok(part.state.clone())
}
