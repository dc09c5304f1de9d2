//! `shm ls`.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use shmkit::ErrorKind;
use shmkit::inspect::{self, Column, Description, Entry};

use crate::global::Global;
use crate::table::table;
use crate::{advice, description, format, json, output, units};

/// List objects, and count their changes per second
///
/// Kinds with the same columns share a table. An object that cannot be used is listed last, with
/// the reason; objects that this user may not open share a line.
///
/// WRITERS, USERS and ENDS count the participants, READERS the open handles that only read, WAITING
/// the threads that wait, and RATE the changes per second. AGE is the time since the creation of
/// the object. A long TYPE is cut: `shm info` shows all of it, and when the value changed last.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm ls
  shm ls robot/
  shm ls --names robot/
  shm ls --json | jq '.[] | {name, rate_per_second}'")]
pub(crate) struct Args {
    /// List only names that begin with PREFIX
    #[arg(value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Count changes for this time: RATE is their number per second
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = units::duration)]
    sample: Duration,
    /// Print a JSON array: for each object the fields of `shm info --json` and `rate_per_second`,
    /// or `name` and `error` if it cannot be opened
    #[arg(long)]
    json: bool,
    /// Print only the names, one per line, and open no object
    #[arg(long, conflicts_with = "json")]
    names: bool,
}

/// All objects at one moment.
struct Sample {
    taken: Instant,
    entries: Vec<Entry>,
}

impl Sample {
    fn take(directory: &Path, args: &Args, global: &Global) -> shmkit::Result<Self> {
        let entries = inspect::list_with_prefix(directory, &args.prefix, global.trust)?;
        Ok(Self { taken: Instant::now(), entries })
    }

    fn descriptions(&self) -> impl Iterator<Item = &Description> {
        self.entries.iter().filter_map(|it| it.description.as_ref().ok())
    }
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let directory = global.directory();
    if args.names {
        let names = inspect::names_with_prefix(&directory, &args.prefix)?;
        // No name is no line.
        return if names.is_empty() { Ok(()) } else { Ok(output::line(names.join("\n"))?) };
    }
    let before = Sample::take(&directory, args, global)?;
    if before.entries.is_empty() {
        return report_none(args, &directory);
    }
    let before = Changes::of(&before);
    std::thread::sleep(args.sample);
    let now = Sample::take(&directory, args, global)?;
    let rate = |it: &Description| before.rate(it, now.taken);
    if args.json {
        let entries: Vec<Json> = now.entries.iter().map(|it| as_json(it, rate)).collect();
        return Ok(output::line(json!(entries))?);
    }
    let tables = tables(&now, rate);
    if !tables.is_empty() {
        output::line(tables.join("\n\n"))?;
    }
    let (red, plain) = output::red();
    for hindrance in hindrances(&now.entries) {
        output::line(format_args!("{red}{hindrance}{plain}"))?;
    }
    Ok(())
}

fn report_none(args: &Args, directory: &Path) -> anyhow::Result<()> {
    if args.json {
        return Ok(output::line("[]")?);
    }
    let prefix = match args.prefix.as_str() {
        "" => String::new(),
        prefix => format!(" with a name that begins with {prefix:?}"),
    };
    // A script would take a line of standard output for a name.
    output::note(format_args!("no objects in {}{prefix}", directory.display()));
    Ok(())
}

/// Returns a table for each list of columns that objects have.
fn tables(now: &Sample, rate: impl Fn(&Description) -> Option<f64>) -> Vec<String> {
    let mut tables: Vec<(Vec<Column>, Vec<Vec<String>>)> = Vec::new();
    for it in now.descriptions() {
        let columns = columns(it);
        let row = row(it, &columns, rate(it));
        match tables.iter_mut().find(|(known, _)| *known == columns) {
            Some((_, rows)) => rows.push(row),
            None => tables.push((columns, vec![row])),
        }
    }
    tables.into_iter().map(|(columns, rows)| table(headings(&columns), rows)).collect()
}

/// Returns the columns of all parts, each once.
fn columns(it: &Description) -> Vec<Column> {
    let mut columns = Vec::new();
    for column in it.parts.iter().flat_map(|part| part.state.columns) {
        if !columns.contains(column) {
            columns.push(*column);
        }
    }
    columns
}

fn headings(columns: &[Column]) -> Vec<&'static str> {
    let mut headings = vec!["NAME", "KIND", "TYPE", "SIZE"];
    headings.extend(columns.iter().map(|column| match column {
        Column::Participants(heading) => heading,
        Column::Readers => "READERS",
        Column::Waiting => "WAITING",
        Column::State => "STATE",
        Column::HeldBy => "HELD BY",
        Column::Rate => "RATE",
        _ => "",
    }));
    headings.push("AGE");
    headings
}

fn row(it: &Description, columns: &[Column], rate: Option<f64>) -> Vec<String> {
    let (name, kind) = (it.name.clone(), it.kind.as_str().to_owned());
    let mut row = vec![name, kind, format::short(description::type_of(it)), format::bytes(it.size)];
    row.extend(columns.iter().map(|column| match column {
        Column::Participants(_) => participants(it),
        Column::Readers => it.readers.to_string(),
        Column::Waiting => it.parts.iter().map(|it| u64::from(it.waiting)).sum::<u64>().to_string(),
        Column::State => it.only_part().map_or("-".into(), |part| part.state.text.clone()),
        Column::HeldBy => held_by(it),
        Column::Rate => rate.map_or("-".into(), format::rate),
        _ => String::new(),
    }));
    row.push(format::age(it.created));
    row
}

fn participants(it: &Description) -> String {
    match it.count_participants() {
        (alive, 0) => alive.to_string(),
        (alive, dead) => format!("{alive} ({dead} dead)"),
    }
}

/// Returns the first holder, and how many more there are.
fn held_by(it: &Description) -> String {
    let mut holders = it.holders();
    let Some(first) = holders.next() else { return "-".into() };
    let who = match (first.pid, &first.program) {
        (Some(pid), Some(program)) => format!("{pid} ({program})"),
        _ => format!("slot {}", first.slot),
    };
    let dead = if first.is_alive { "" } else { ", dead" };
    match holders.count() {
        0 => format!("{who}{dead}"),
        more => format!("{who}{dead} and {more} more"),
    }
}

/// How many changes each object had had at one moment.
struct Changes {
    taken: Instant,
    of_object: HashMap<u128, u64>,
}

impl Changes {
    fn of(sample: &Sample) -> Self {
        let of_object = sample.descriptions().filter_map(|it| Some((it.object_id, changes(it)?)));
        Self { taken: sample.taken, of_object: of_object.collect() }
    }

    /// Returns the changes per second until `now`, of an object that counts them and was there at
    /// both moments.
    fn rate(&self, it: &Description, now: Instant) -> Option<f64> {
        let changes = changes(it)?.saturating_sub(*self.of_object.get(&it.object_id)?);
        let seconds = now.duration_since(self.taken).as_secs_f64();
        (seconds > 0.0).then(|| changes as f64 / seconds)
    }
}

fn changes(it: &Description) -> Option<u64> {
    it.only_part()?.state.changes
}

/// Returns a line for each object that cannot be used, with the reason. Objects that this user may
/// not open share a line, because other users can have any number of them.
fn hindrances(entries: &[Entry]) -> Vec<String> {
    let (mut lines, mut forbidden) = (Vec::new(), Vec::<(Option<u32>, Vec<&Entry>)>::new());
    for entry in entries {
        match &entry.description {
            Ok(it) => lines.extend(description::hindrance(it).map(|it| line(entry, &it))),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let user = error.untrusted_user();
                match forbidden.iter_mut().find(|(known, _)| *known == user) {
                    Some((_, entries)) => entries.push(entry),
                    None => forbidden.push((user, vec![entry])),
                }
            }
            Err(error) => lines.push(line(entry, &advice::reason(error))),
        }
    }
    lines.extend(forbidden.iter().map(|(user, entries)| forbidden_line(*user, entries)));
    lines
}

fn line(entry: &Entry, hindrance: &str) -> String {
    format!("{}: {hindrance}", entry.name)
}

/// Returns a line about objects of a user who is not trusted, or whose permissions forbid it.
fn forbidden_line(user: Option<u32>, entries: &[&Entry]) -> String {
    const MOST: usize = 5;
    if let [entry] = entries
        && let Err(error) = &entry.description
    {
        return line(entry, &advice::reason(error));
    }
    let names: Vec<_> = entries.iter().take(MOST).map(|it| it.name.as_str()).collect();
    let more = if entries.len() > MOST { ", ..." } else { "" };
    let which = format!("{} objects ({}{more})", entries.len(), names.join(", "));
    match user {
        Some(user) => {
            format!("{which} belong to user {user}: add --trust {user} to open them anyway")
        }
        None => format!("{which} have permissions that forbid this user to open them"),
    }
}

fn as_json(entry: &Entry, rate: impl Fn(&Description) -> Option<f64>) -> Json {
    match &entry.description {
        Ok(it) => {
            let mut report = json::object(it);
            report["rate_per_second"] = json!(rate(it));
            report
        }
        Err(error) => json!({ "name": entry.name, "error": error.to_string() }),
    }
}
