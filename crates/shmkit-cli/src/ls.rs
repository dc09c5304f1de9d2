//! `shm ls`.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use shmkit::inspect::{self, Description, Entry};

use crate::table::table;
use crate::{Global, advice, description, format, output, primitive, units};

/// List the objects, and how often each is changing
///
/// What is broken is shown with its reason. READERS are open handles that do not write. Locks and
/// the like have a table of their own: USERS have one open, WAITING are threads that wait for it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm ls
  shm ls robot/
  shm ls --json | jq -r '.[].name'")]
pub(crate) struct Args {
    /// Only names that begin with this
    #[arg(value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// How long changes are counted, for RATE
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = units::duration)]
    sample: Duration,
    /// Print a JSON array: all that `shm info` tells of each, and `rate_per_second`; or `name` and
    /// `error` where one is broken
    #[arg(long)]
    json: bool,
}

/// All objects at one moment.
struct Sample {
    taken: Instant,
    entries: Vec<Entry>,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let directory = global.directory();
    let sample = || -> shmkit::Result<Sample> {
        let mut entries = inspect::list(&directory, global.trust)?;
        entries.retain(|it| it.name.starts_with(&args.prefix));
        Ok(Sample { taken: Instant::now(), entries })
    };
    let before = sample()?;
    if before.entries.is_empty() {
        return none(args, &directory);
    }
    std::thread::sleep(args.sample);
    let now = sample()?;
    if args.json {
        let all: Vec<Json> = now.entries.iter().map(|it| as_json(it, &before, &now)).collect();
        return Ok(output::line(json!(all))?);
    }
    tables(&before, &now)?;
    for entry in &now.entries {
        if let Some(wrong) = wrong(entry, &directory) {
            let ((red, plain), name) = (output::red(), &entry.name);
            output::line(format_args!("{red}{name}: {wrong}{plain}"))?;
        }
    }
    Ok(())
}

/// A table of values, and one of what is to be in step.
fn tables(before: &Sample, now: &Sample) -> anyhow::Result<()> {
    let sound = now.entries.iter().filter_map(|it| it.description.as_ref().ok());
    let (values, others): (Vec<_>, Vec<_>) = sound.partition(|it| it.latest().is_some());
    if !values.is_empty() {
        let headings = ["NAME", "KIND", "TYPE", "SIZE", "WRITERS", "READERS", "RATE", "AGE"];
        let rows = values.iter().map(|it| row(it, rate(it, before, now)));
        output::line(table(headings, rows))?;
    }
    if !others.is_empty() {
        if !values.is_empty() {
            output::line("")?;
        }
        let headings =
            ["NAME", "KIND", "TYPE", "SIZE", "USERS", "WAITING", "STATE", "HELD BY", "AGE"];
        output::line(table(headings, others.iter().map(|it| row_of_primitives(it))))?;
    }
    Ok(())
}

fn none(args: &Args, directory: &Path) -> anyhow::Result<()> {
    if args.json {
        return Ok(output::line("[]")?);
    }
    let whose = match args.prefix.as_str() {
        "" => String::new(),
        prefix => format!(" whose name begins with {prefix:?}"),
    };
    // Not on standard output, where a script would take it for a name.
    output::note(format_args!("no objects in {}{whose}", directory.display()));
    Ok(())
}

/// Changes in a second, where the object was there at both moments.
fn rate(it: &Description, before: &Sample, now: &Sample) -> Option<f64> {
    let mut earlier = before.entries.iter().filter_map(|entry| entry.description.as_ref().ok());
    let earlier = earlier.find(|earlier| earlier.object_id == it.object_id)?;
    let seconds = now.taken.duration_since(before.taken).as_secs_f64();
    let (now, earlier) = (it.latest()?.sequence, earlier.latest()?.sequence);
    (seconds > 0.0).then(|| now.saturating_sub(earlier) as f64 / seconds)
}

fn row(it: &Description, rate: Option<f64>) -> [String; 8] {
    [
        it.name.clone(),
        it.kind.as_str().into(),
        description::type_name(&it.schema),
        format::bytes(it.size),
        participants(it),
        it.readers.to_string(),
        rate.map_or("-".into(), format::rate),
        format::age(it.created),
    ]
}

fn row_of_primitives(it: &Description) -> [String; 9] {
    let (type_name, state) = match primitive::alone(it) {
        Some(alone) => (
            primitive::value(alone).map(description::type_name).unwrap_or("-".into()),
            alone.state.to_string(),
        ),
        None => (primitive::kinds(it), "-".into()),
    };
    [
        it.name.clone(),
        it.kind.as_str().into(),
        type_name,
        format::bytes(it.size),
        participants(it),
        primitive::waiting(it).to_string(),
        state,
        primitive::held_by(it),
        format::age(it.created),
    ]
}

fn participants(it: &Description) -> String {
    match description::participants(it) {
        (alive, 0) => alive.to_string(),
        (alive, dead) => format!("{alive} ({dead} dead)"),
    }
}

fn wrong(entry: &Entry, directory: &Path) -> Option<String> {
    match &entry.description {
        Ok(it) => {
            let hindrance = description::hindrance(it)?;
            Some(format!("{hindrance}; `shm doctor --fix` removes it"))
        }
        Err(error) => {
            let (message, action) =
                (advice::message(error, directory), format!("cannot open \"{}\": ", entry.name));
            Some(message.strip_prefix(&action).unwrap_or(&message).to_owned())
        }
    }
}

fn as_json(entry: &Entry, before: &Sample, now: &Sample) -> Json {
    match &entry.description {
        Ok(it) => {
            let mut report = description::json(it);
            report["rate_per_second"] = json!(rate(it, before, now));
            report
        }
        Err(error) => json!({ "name": entry.name, "error": error.to_string() }),
    }
}
