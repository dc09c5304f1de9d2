//! `shm set`.

use std::io::Read;

use anyhow::Context;
use serde_json::json;
use shmkit::shareable::Schema;
use shmkit::shareable::schema::Shape;
use shmkit::sync::AnyLock;
use shmkit::{AnyLatest, ErrorKind};

use crate::exit::Failure;
use crate::global::Global;
use crate::presence_args::PresenceArgs;
use crate::source::{OWNER_DIED, Source, acquire, or_dead};
use crate::timeout_args::{TimeLimit, TimeoutArgs};
use crate::types::fields;
use crate::{output, value};

/// Set the value of an object, or some of its fields
///
/// The values are checked against the type that the object describes. All fields change at once: a
/// reader sees all of them or none. Other fields keep their value, which is zero if no value was
/// set before. The change is one step: no other process sets a value in between.
///
/// The object is a latest, a lock with a value, or a group: then the value is that of one lock in
/// the group, and each FIELD begins with the number of that lock. Of a latest, only one process at
/// a time may write, unless it was created with shared writers: the command waits until the current
/// writer ends. The value in a lock is changed while this process holds the lock. If `shm lock`
/// holds the lock NAME and runs this command, this command waits for ever.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm set robot/goal x=3.5 mode=Fast 'path[0].y=-1'
  shm set robot/goal 'Goal { x: 3.5, mode: Fast }'
  shm set robot/goal '{\"x\": 3.5, \"mode\": \"Fast\"}'
  shm get robot/goal --json | shm set robot/next-goal -
  shm set robot/goal x=3.5 --timeout 2s
  shm set robot/parts 1.speed=0.5 1.mode=Slow
  shm set tank/level 7.25")]
pub(crate) struct Args {
    /// The name of the object
    name: String,
    /// Set a field with FIELD=VALUE, or the whole value with VALUE; - reads VALUE from standard
    /// input
    ///
    /// Values have the form that `shm get` prints: -1.5, true, Fast, "a text", [1, 2], Some(3),
    /// Point { x: 1.0, y: 2.0 }; or that of `shm get --json`. A single text needs no quotes. In a
    /// group, a field begins with the number of the part, as `shm info` shows it: 0=VALUE, 2.1.x=5.
    #[arg(value_name = "FIELD=VALUE", required = true, allow_negative_numbers = true)]
    changes: Vec<String>,
    #[command(flatten)]
    timeout_args: TimeoutArgs,
    #[command(flatten)]
    presence: PresenceArgs,
    /// Mark a lock as consistent: the new value repairs what a dead holder left half-changed
    #[arg(long)]
    mark_consistent: bool,
    /// Print the new value as a JSON object: `name`, `value`, and of a latest its `sequence`
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let (name, limit) = (&args.name, args.timeout_args.limit());
    let usage = |why: String| Failure::Usage(format!("cannot set \"{name}\": {why}"));
    args.presence.wait(name, limit, global)?;
    let (source, texts) = Source::open(name, "set", (&args.changes, &['.', '=']), limit, global)?;
    if args.mark_consistent && matches!(source, Source::Latest(_)) {
        return Err(usage("--mark-consistent is for locks".into()).into());
    }
    let input = if texts == ["-"] { Some(standard_input()?) } else { None };
    let texts = input.as_ref().map_or(texts, |input| vec![input.as_str()]);
    let schema = source.schema();
    let changes: Vec<_> = texts.iter().map(|it| assignment(schema, it)).collect();
    if let Some(why) = conflict(schema, &changes) {
        return Err(usage(why).into());
    }
    let (mut now, mut from_zero) = (Vec::new(), false);
    let mut make = |old: Option<Vec<u8>>| {
        let mut value = match old {
            Some(value) => value,
            // Every byte is set.
            None if is_whole(&changes) => vec![0; schema.size() as usize],
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
    let set = match &source {
        Source::Latest(latest) => set_latest(latest, name, limit, &mut make).map(Some),
        Source::Lock { lock, .. } => {
            set_in_lock(lock, args, limit, is_whole(&changes), &mut make).map(|()| None)
        }
    };
    let sequence = set.map_err(|error| {
        if from_zero && schema.zeroed().is_err() {
            let why = "there is no value to change yet: set all fields at once with one VALUE";
            return usage(format!("{error}; {why}")).into();
        }
        named(error, name)
    })?;
    if args.json {
        let mut report = json!({ "name": name, "value": value::json(&schema.read(&now)?) });
        if let Some(sequence) = sequence {
            report["sequence"] = json!(sequence);
        }
        output::line(report)?;
    }
    Ok(())
}

fn standard_input() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).into())
}

/// What returns the new value for the old one, if there is one.
type Make<'a> = dyn FnMut(Option<Vec<u8>>) -> shmkit::Result<Vec<u8>> + 'a;

/// Sets a latest value when this process may write.
fn set_latest(
    latest: &AnyLatest,
    name: &str,
    limit: TimeLimit,
    make: &mut Make<'_>,
) -> shmkit::Result<u64> {
    // Before it waits: what is wrong with the arguments does not depend on the writer.
    make(latest.get().ok())?;
    limit.attempt(&format!("set \"{name}\""), "is its writer", |left| {
        latest.set_with_timeout(left, &mut *make)
    })
}

/// Sets the value in a lock while this process holds it.
fn set_in_lock(
    lock: &AnyLock,
    args: &Args,
    limit: TimeLimit,
    is_whole: bool,
    make: &mut Make<'_>,
) -> shmkit::Result<()> {
    let name = &args.name;
    let attempt = |left| or_dead(acquire(lock, false, left));
    let (mut guard, owner_died) = limit.attempt(&format!("set \"{name}\""), "holds it", attempt)?;
    let old = match guard.get() {
        // All of it is replaced.
        Err(error) if error.kind() == ErrorKind::Corrupt && is_whole => None,
        answer => Some(answer?),
    };
    guard.set(&make(old)?)?;
    if args.mark_consistent {
        guard.mark_consistent();
    } else if owner_died {
        let next = "if this value repairs them, set it with --mark-consistent";
        output::note(format_args!("\"{name}\": {OWNER_DIED}; {next}"));
    }
    Ok(())
}

/// Whether one of the changes is the whole value.
fn is_whole(changes: &[(&str, &str)]) -> bool {
    changes.iter().any(|(path, _)| path.is_empty())
}

/// Returns why these changes cannot be made together, if they cannot.
fn conflict(schema: &Schema, changes: &[(&str, &str)]) -> Option<String> {
    if let Some(word) = changes.iter().find_map(|(path, text)| bare_word(schema, path, text)) {
        let known: Vec<_> = fields(schema).into_iter().map(|it| it.path).collect();
        return Some(format!("{word:?} is not FIELD=VALUE: the fields are {}", known.join(", ")));
    }
    if changes.is_empty() {
        return Some("no VALUE is given: write PART=VALUE".into());
    }
    if changes.len() > 1 && is_whole(changes) {
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
        assert_eq!(of(goal, "{\"x\":1,\"y\":2}"), ("", "{\"x\":1,\"y\":2}"));
    }
}
