//! `shm set`.

use std::time::Duration;

use serde_json::json;
use shmkit::shareable::Schema;
use shmkit::shareable::schema::Shape;
use shmkit::{AnyLatest, ErrorKind};

use crate::exit::Failure;
use crate::global::Global;
use crate::timeout_args::TimeoutArgs;
use crate::types::fields;
use crate::{output, value};

/// Set the value of an object, or some of its fields
///
/// The values are checked against the type that the object describes. All fields change at once: a
/// reader sees all of them or none. Other fields keep their value, which is zero if no value was
/// set before. The change is one step: no other process sets a value in between.
///
/// Only one process at a time may write, unless the object was created with shared writers. So the
/// command waits until the current writer ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm set robot/goal x=3.5 mode=Fast 'path[0].y=-1'
  shm set robot/goal 'Goal { x: 3.5, mode: Fast }'
  shm set robot/goal x=3.5 --timeout 2s
  shm set tank/level 7.25")]
pub(crate) struct Args {
    /// The name of the object
    name: String,
    /// Set a field with FIELD=VALUE, or the whole value with VALUE
    ///
    /// Values have the form that `shm get` prints: -1.5, true, Fast, "a text", [1, 2], Some(3),
    /// Point { x: 1.0, y: 2.0 }. A single text needs no quotes.
    #[arg(value_name = "FIELD=VALUE", required = true, allow_negative_numbers = true)]
    changes: Vec<String>,
    #[command(flatten)]
    timeout_args: TimeoutArgs,
    /// Print the new value as a JSON object: `name`, `sequence`, `value`
    #[arg(long)]
    json: bool,
}

/// How long the command waits before it says so.
const SILENT: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let object = global.open_latest(&args.name)?;
    let schema = object.schema();
    let changes: Vec<_> = args.changes.iter().map(|it| assignment(schema, it)).collect();
    if let Some(why) = conflict(schema, &changes) {
        return Err(Failure::Usage(format!("cannot set \"{}\": {why}", args.name)).into());
    }
    let (mut now, mut from_zero) = (Vec::new(), false);
    let mut make = |old: Option<Vec<u8>>| {
        let mut value = match old {
            Some(value) => value,
            // Every byte is set.
            None if changes.iter().any(|(path, _)| path.is_empty()) => {
                vec![0; schema.size() as usize]
            }
            None => {
                from_zero = true;
                schema.zeroed()?
            }
        };
        for (path, text) in &changes {
            schema.set(&mut value, path, text)?;
        }
        now.clone_from(&value);
        Ok(value)
    };
    // Before it waits: what is wrong with the arguments does not depend on the writer.
    let checked = make(object.get().ok());
    let sequence = checked.and_then(|_| set_in_time(&object, args, &mut make));
    let sequence = sequence.map_err(|error| {
        if from_zero && schema.zeroed().is_err() {
            let why = "there is no value to change yet: set all fields at once with one VALUE";
            return Failure::Usage(format!("cannot set \"{}\": {error}; {why}", args.name)).into();
        }
        named(error, &args.name)
    })?;
    if args.json {
        let value = value::json(&schema.read(&now)?);
        output::line(json!({ "name": args.name, "sequence": sequence, "value": value }))?;
    }
    Ok(())
}

/// Sets the value to what `make` returns for the newest one, when this process may write.
fn set_in_time(
    object: &AnyLatest,
    args: &Args,
    mut make: impl FnMut(Option<Vec<u8>>) -> shmkit::Result<Vec<u8>>,
) -> shmkit::Result<u64> {
    let limit = args.timeout_args.limit();
    let silent = limit.left().map_or(SILENT, |left| left.min(SILENT));
    match object.set_with_timeout(Some(silent), &mut make) {
        Err(error)
            if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Full)
                && limit.left() != Some(Duration::ZERO) =>
        {
            let why = error.peer().map_or(error.reason(), |peer| format!("{peer} is its writer"));
            output::note(format_args!(
                "waiting to set \"{}\": {why} (--timeout limits that)",
                args.name
            ));
            object.set_with_timeout(limit.left(), make)
        }
        answer => answer,
    }
}

/// Returns why these changes cannot be made together, if they cannot.
fn conflict(schema: &Schema, changes: &[(&str, &str)]) -> Option<String> {
    if let Some(word) = changes.iter().find_map(|(path, text)| bare_word(schema, path, text)) {
        let known: Vec<_> = fields(schema).into_iter().map(|it| it.path).collect();
        return Some(format!("{word:?} is not FIELD=VALUE: the fields are {}", known.join(", ")));
    }
    if changes.len() > 1 && changes.iter().any(|(path, _)| path.is_empty()) {
        return Some("give either one whole VALUE, or FIELD=VALUE for each field".into());
    }
    let mut paths = changes.iter().map(|(path, _)| path).enumerate();
    let repeated = paths.find(|(index, path)| changes[..*index].iter().any(|it| it.0 == **path));
    repeated.map(|(_, path)| format!("{path} is given twice"))
}

/// Adds the name of the object to an error about an argument.
fn named(error: shmkit::Error, name: &str) -> anyhow::Error {
    let is_named = error.object().is_some();
    let error = anyhow::Error::from(error);
    if is_named { error } else { error.context(format!("cannot set \"{name}\"")) }
}

/// Returns the path, which is empty for the whole value, and the text of the new value.
fn assignment<'a>(schema: &Schema, argument: &'a str) -> (&'a str, &'a str) {
    match argument.split_once('=') {
        Some(("value", text)) if !matches!(schema.shape(), Shape::Struct { .. }) => ("", text),
        Some((path, text)) if has_parts(schema) && is_path(path) => (path, text),
        _ => ("", argument),
    }
}

/// Returns a text that was given for a whole struct and is not one, since it has no braces.
fn bare_word<'a>(schema: &Schema, path: &str, text: &'a str) -> Option<&'a str> {
    let is_struct = matches!(schema.shape(), Shape::Struct { .. });
    (is_struct && path.is_empty() && !text.contains(['{', '('])).then_some(text)
}

/// Returns whether a path can lead into a value of this type.
fn has_parts(schema: &Schema) -> bool {
    matches!(schema.shape(), Shape::Struct { .. } | Shape::Array { .. } | Shape::List { .. })
}

/// Returns whether the text is a path: `x`, `[2]`, `joints[2].angle`.
fn is_path(text: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || "_.[]".contains(c);
    !text.is_empty()
        && text.chars().all(letter)
        && text.matches('[').eq(text.matches(']').map(|_| "["))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_an_assignment_or_the_whole_value() {
        let of = |schema, argument| assignment(&Schema::parse(schema).unwrap(), argument);
        let goal = "Goal(16,8){x@0:f64,y@8:f64}";
        assert_eq!(of(goal, "x=1"), ("x", "1"));
        assert_eq!(of(goal, "x="), ("x", ""));
        assert_eq!(of(goal, "a.b[2]=c=d"), ("a.b[2]", "c=d"));
        assert_eq!(of(goal, "Goal { x: 1, y: 2 }"), ("", "Goal { x: 1, y: 2 }"));
        assert_eq!(of("text<16>", "a=b"), ("", "a=b"));
        assert_eq!(of("text<16>", "value=a=b"), ("", "a=b"));
        assert_eq!(of("f64", "-1.5"), ("", "-1.5"));
        assert_eq!(of("[u8;2]", "[1]=5"), ("[1]", "5"));
        assert_eq!(of("[text<8>;1]", "[\"a=b\"]"), ("", "[\"a=b\"]"));
        assert_eq!(of("list<text<8>,2>", "[x=y"), ("", "[x=y"));
    }
}
