//! `shm raw ls`.

use anyhow::Context;
use serde_json::json;

use crate::exit::Failure;
use crate::sys::{NamedMemory, raw};
use crate::table::table;
use crate::{format, output};

/// List named memory, also of programs that do not use shmkit
///
/// A MODE that begins with 1, as 1600, marks memory that is removed after its last use. The files
/// of shmkit's own objects are not listed: see `shm ls`. Only Linux can list named memory.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// List only names that begin with PREFIX
    #[arg(value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Print a JSON array: `name`, `size`, `owner`, `mode` and `changed` of each
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let Some(found) = raw::list() else {
        let why = "cannot list named memory: this system has no list of it";
        return Err(Failure::Unsupported(why.into()).into());
    };
    let mut found = found.with_context(|| format!("cannot list named memory {}", raw::PLACE))?;
    found.retain(|it| it.name.starts_with(&args.prefix) && !is_of_objects(&it.name));
    found.sort_by(|one, other| one.name.cmp(&other.name));
    if args.json {
        return Ok(output::line(json!(found.iter().map(as_json).collect::<Vec<_>>()))?);
    }
    if found.is_empty() {
        let which = match args.prefix.as_str() {
            "" => "besides the objects of shmkit".to_owned(),
            prefix => format!("with a name that begins with {prefix:?}"),
        };
        output::note(format_args!("no named memory {} {which}", raw::PLACE));
        return Ok(());
    }
    let rows = found.iter().map(|it| {
        let name = output::escaped(&it.name, |_| false);
        let (owner, mode) = (format!("user {}", it.owner), format!("{:04o}", it.mode));
        vec![name, format::bytes(it.size), owner, mode, format::age(it.changed)]
    });
    Ok(output::line(table(vec!["NAME", "SIZE", "OWNER", "MODE", "CHANGED"], rows))?)
}

/// Returns whether it is the file of an object, or one that a dead process left.
fn is_of_objects(name: &str) -> bool {
    name.ends_with(".shmkit") || name.ends_with(".shmkit-new")
}

fn as_json(it: &NamedMemory) -> serde_json::Value {
    json!({
        "name": it.name,
        "size": it.size,
        "owner": it.owner,
        "mode": format!("{:04o}", it.mode),
        "changed": format::timestamp(it.changed),
    })
}
