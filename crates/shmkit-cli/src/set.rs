//! `shm set`.

use serde_json::json;
use shmkit::shareable::Schema;
use shmkit::shareable::schema::Shape;

use crate::exit::Usage;
use crate::{Global, description, output, value};

/// Change an object: some of its fields, or all of it
///
/// The object's own description says what fits. All fields change at once: nobody sees some of them
/// changed. What is not named stays; where there is no value yet it is zero. Refused as long as a
/// sole writer lives, which would overwrite it anyway.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm set robot/goal x=3.5 mode=Fast 'path[0].y=-1'
  shm set robot/goal 'Goal { x: 3.5, mode: Fast }'
  shm set tank/level 7.25")]
pub(crate) struct Args {
    /// The name of the object
    name: String,
    /// What to change: FIELD=VALUE, or a VALUE alone for the whole
    ///
    /// A value is written as `shm get` prints it: -1.5, true, Fast, "a text", [1, 2], Some(3),
    /// Point { x: 1.0, y: 2.0 }. A text alone needs no quotes.
    #[arg(value_name = "FIELD=VALUE", required = true, allow_negative_numbers = true)]
    changes: Vec<String>,
    /// Print what it is now, as JSON: `name`, `sequence`, `value`
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let object = global.open(&args.name)?;
    let schema = object.schema();
    let changes: Vec<_> = args.changes.iter().map(|it| assignment(schema, it)).collect();
    if let Some(name) = changes.iter().find_map(|(path, text)| bare_word(schema, path, text)) {
        let known: Vec<_> = description::fields(schema).into_iter().map(|it| it.path).collect();
        let why = format!("{name:?} is no FIELD=VALUE: there are {}", known.join(", "));
        return Err(Usage(format!("cannot set \"{}\": {why}", args.name)).into());
    }
    if changes.len() > 1 && changes.iter().any(|(path, _)| path.is_empty()) {
        let why = "either one VALUE for the whole, or FIELD=VALUE each";
        return Err(Usage(format!("cannot set \"{}\": {why}", args.name)).into());
    }
    let repeated = |(index, change): &(usize, &(&str, &str))| {
        changes[..*index].iter().any(|(path, _)| *path == change.0)
    };
    if let Some((_, (path, _))) = changes.iter().enumerate().find(repeated) {
        let why = format!("{path} is there twice");
        return Err(Usage(format!("cannot set \"{}\": {why}", args.name)).into());
    }
    let (mut now, mut from_zero) = (Vec::new(), false);
    let sequence = object.set_with(|old| {
        let replaced_whole = changes.iter().any(|(path, _)| path.is_empty());
        let mut value = match old {
            Some(value) => value,
            None if replaced_whole => vec![0; schema.size() as usize],
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
    });
    let sequence = sequence.map_err(|error| {
        if from_zero && schema.zeroed().is_err() {
            let why = "there is no value to change yet: set all of it at once";
            return Usage(format!("cannot set \"{}\": {error}; {why}", args.name)).into();
        }
        named(error, &args.name)
    })?;
    if args.json {
        let value = value::json(&schema.read(&now)?);
        output::line(json!({ "name": args.name, "sequence": sequence, "value": value }))?;
    }
    Ok(())
}

/// Errors over what was typed do not name the object yet.
fn named(error: shmkit::Error, name: &str) -> anyhow::Error {
    let is_named = error.object().is_some();
    let error = anyhow::Error::from(error);
    if is_named { error } else { error.context(format!("cannot set \"{name}\"")) }
}

/// The path, empty for the whole value, and the text of its new value.
fn assignment<'a>(schema: &Schema, argument: &'a str) -> (&'a str, &'a str) {
    match argument.split_once('=') {
        Some(("value", text)) if !matches!(schema.shape(), Shape::Struct { .. }) => ("", text),
        Some((path, text)) if has_parts(schema) && is_path(path) => (path, text),
        _ => ("", argument),
    }
}

/// What cannot be meant for a whole struct, which has braces.
fn bare_word<'a>(schema: &Schema, path: &str, text: &'a str) -> Option<&'a str> {
    let is_struct = matches!(schema.shape(), Shape::Struct { .. });
    (is_struct && path.is_empty() && !text.contains(['{', '('])).then_some(text)
}

fn has_parts(schema: &Schema) -> bool {
    matches!(schema.shape(), Shape::Struct { .. } | Shape::Array { .. } | Shape::List { .. })
}

/// `x`, `[2]`, `joints[2].angle`: not the beginning of a list, a text or a struct.
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
