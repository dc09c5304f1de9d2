//! `shm info`.

use shmkit::inspect::{Column, Description, Participant};
use shmkit::shareable::Schema;
use shmkit::shareable::schema::Shape;

use crate::global::Global;
use crate::table::{table, with_bold_headings, without_styles};
use crate::types::{fields, variants};
use crate::{description, format, json, output};

/// Show everything about an object: type, state, participants, file
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm info robot/pose
  shm info robot/pose --json | jq '.fields[] | {path, offset}'")]
pub(crate) struct Args {
    /// The name of the object
    name: String,
    /// Print a JSON object: `parts` has the state of each part; the state of an only part is also
    /// at the top level
    #[arg(long)]
    json: bool,
}

/// The width of the labels of most kinds.
const LABEL_WIDTH: usize = 10;

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let it = global.describe(&args.name)?;
    if args.json {
        return Ok(output::line(json::object(&it))?);
    }
    let (bold, plain) = output::bold();
    output::line(format_args!("{bold}{}{plain}", it.name))?;
    let lines = lines(&it);
    let width = lines.iter().map(|(label, _)| label.len()).fold(LABEL_WIDTH, usize::max);
    for (label, text) in lines {
        output::line(format_args!("  {label:<width$} {text}"))?;
    }
    for part in &it.parts {
        output::line(format_args!("\n{bold}{}{plain}", description::heading(part)))?;
        for holder in &part.state.holders {
            output::line(format_args!("  {}", description::sentence(holder)))?;
        }
        if let Some(value) = description::value(part) {
            show_fields(value)?;
        }
    }
    if let Some(participants) = participants(&it) {
        let headed = with_bold_headings(&participants);
        output::line(format_args!("\n{headed}"))?;
    }
    Ok(())
}

/// Returns a table of the participants, if there are any.
pub(crate) fn participants(it: &Description) -> Option<String> {
    let headings = ["SLOT", "ROLE", "PROCESS", "PROGRAM", "SINCE", "STATE"];
    let rows = it.participants.iter().map(participant);
    (!it.participants.is_empty()).then(|| without_styles(headings.into(), rows))
}

fn show_fields(schema: &Schema) -> anyhow::Result<()> {
    let fields = fields(schema);
    if fields.is_empty() {
        return Ok(());
    }
    let rows = fields
        .into_iter()
        .map(|it| vec![it.path, it.offset.to_string(), it.size.to_string(), it.type_name]);
    let table = table(vec!["FIELD", "OFFSET", "SIZE", "TYPE"], rows);
    Ok(output::line(format_args!("\n{table}"))?)
}

/// Returns the lines about the whole object: a label and a text each.
pub(crate) fn lines(it: &Description) -> Vec<(&'static str, String)> {
    let condition = description::hindrance(it).unwrap_or_else(|| it.condition.as_str().into());
    let mut lines =
        vec![("kind", it.kind.as_str().to_owned()), ("type", type_of(it)), ("state", condition)];
    match it.only_part().filter(|part| !part.state.lines.is_empty()) {
        Some(part) => lines.extend(part.state.lines.iter().cloned()),
        None => lines.push(("users", users(it))),
    }
    if it.parts.iter().any(|part| part.state.columns.contains(&Column::Readers)) {
        lines.push(("readers", readers(it)));
    }
    if let Some(changed) = it.only_part().and_then(|part| part.state.changed) {
        let (time, age) = (format::timestamp(changed), format::age(changed));
        lines.push(("changed", format!("{time}, {age} ago")));
    }
    lines.extend([
        ("owner", format!("user {}", it.owner)),
        ("access", access(it)),
        ("lifetime", it.lifetime.as_str().into()),
        ("created", format!("{} by process {}", format::timestamp(it.created), it.creator_pid)),
        ("file", output::printable(format!("{}, {}", it.file.display(), format::bytes(it.size)))),
        ("id", format!("{:032x}", it.object_id)),
    ]);
    lines
}

/// Returns the type of the value with its size, or the type of a group.
fn type_of(it: &Description) -> String {
    let name = description::type_of(it);
    let Some(schema) = it.only_part().and_then(description::value) else { return name };
    let variants = match schema.shape() {
        Shape::Enum { .. } => format!(" ({})", variants(schema)),
        _ => String::new(),
    };
    format!("{name}{variants}, {}", format::bytes(schema.size()))
}

fn users(it: &Description) -> String {
    let (alive, dead) = it.count_participants();
    let users = format!("{alive}, at most {}", it.max_participants);
    match dead {
        0 => users,
        _ => format!("{users}; {dead} died, and the next user frees the slot"),
    }
}

/// Returns how many readers there are, and which processes they are.
fn readers(it: &Description) -> String {
    let found = if it.readers == 0 { None } else { it.find_readers() };
    let named = found.map(|found| description::processes(found.into_iter()).join(", "));
    match named.as_deref() {
        None => it.readers.to_string(),
        Some("") => format!("{}, in processes that this user cannot see", it.readers),
        Some(named) => output::printable(format!("{}: {named}", it.readers)),
    }
}

fn access(it: &Description) -> String {
    let peers = if it.read_only_peers { ", other users read only" } else { "" };
    let mode = match it.mode {
        Some(mode) if mode != it.expected_mode() => format!("; but its file has mode {mode:04o}"),
        _ => String::new(),
    };
    format!("{}{peers}{mode}", it.access.as_str())
}

fn participant(it: &Participant) -> Vec<String> {
    let mut state = if it.is_alive { "alive" } else { "dead" }.to_owned();
    if it.is_holder {
        state += ", holder";
    }
    match it.waiting {
        0 => {}
        1 => state += ", waits",
        threads => state += &format!(", {threads} threads wait"),
    }
    vec![
        it.slot.to_string(),
        it.role.as_str().into(),
        it.pid.to_string(),
        it.program.clone(),
        format::timestamp(it.joined),
        state,
    ]
}
