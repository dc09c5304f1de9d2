//! `shm info`.

use shmkit::Role;
use shmkit::inspect::{self, Description, LatestContent, Participant};
use shmkit::shareable::Schema;
use shmkit::shareable::schema::Shape;

use crate::table::table;
use crate::{Global, advice, description, format, output, primitive};

/// Tell everything about an object: its type, who takes part, its state, its file
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm info robot/pose
  shm info robot/pose --json | jq '.fields[] | {path, offset}'")]
pub(crate) struct Args {
    /// The name of the object
    name: String,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let directory = global.directory();
    let it = inspect::describe(&directory, &args.name, global.trust);
    let it = it.map_err(|error| advice::explained(error, &directory))?;
    if args.json {
        return Ok(output::line(description::json(&it))?);
    }
    let (bold, plain) = output::bold();
    output::line(format_args!("{bold}{}{plain}", it.name))?;
    for (what, told) in lines(&it) {
        output::line(format_args!("  {what:<10} {told}"))?;
    }
    if it.latest().is_some() {
        show_fields(&it.schema)?;
    }
    for primitive in it.primitives() {
        output::line(format_args!("\n{bold}{}{plain}", primitive::heading(primitive)))?;
        for holder in &primitive.holders {
            output::line(format_args!("  {}", primitive::sentence(holder)))?;
        }
        if let Some(value) = primitive::value(primitive) {
            show_fields(value)?;
        }
    }
    if !it.participants.is_empty() {
        let headings = ["SLOT", "ROLE", "PROCESS", "PROGRAM", "SINCE", "STATE"];
        output::line(format_args!(
            "\n{}",
            table(headings, it.participants.iter().map(participant))
        ))?;
    }
    Ok(())
}

fn show_fields(schema: &Schema) -> anyhow::Result<()> {
    let fields = description::fields(schema);
    if fields.is_empty() {
        return Ok(());
    }
    let rows = fields
        .into_iter()
        .map(|it| [it.path, it.offset.to_string(), it.size.to_string(), it.type_name]);
    let table = table(["FIELD", "OFFSET", "SIZE", "TYPE"], rows);
    Ok(output::line(format_args!("\n{table}"))?)
}

fn lines(it: &Description) -> Vec<(&'static str, String)> {
    let condition = match description::hindrance(it) {
        Some(hindrance) => format!("{hindrance}; `shm doctor --fix` removes it"),
        None => it.condition.as_str().into(),
    };
    let peers = if it.read_only_peers { ", others only to read" } else { "" };
    let other_mode = it.mode.filter(|mode| *mode != it.expected_mode());
    let mode =
        other_mode.map_or_else(String::new, |mode| format!("; but its file has mode {mode:04o}"));
    let created = format::moment(it.created);
    let mut lines = vec![
        ("kind", it.kind.as_str().to_owned()),
        ("type", type_of(it)),
        ("state", condition),
        ("owner", format!("user {}", it.owner)),
        ("access", format!("{}{peers}{mode}", it.access.as_str())),
        ("lifetime", it.lifetime.as_str().into()),
        ("created", format!("{created} by process {}", it.creator_pid)),
        ("file", format!("{}, {}", it.file.display(), format::bytes(it.size))),
        ("id", format!("{:032x}", it.object_id)),
    ];
    let numbers = match it.latest() {
        Some(latest) => vec![
            ("values", values(it, latest)),
            ("writers", writers(it, latest)),
            ("readers", it.readers.to_string()),
        ],
        None => vec![("users", users(it))],
    };
    lines.splice(3..3, numbers);
    lines
}

/// Of a `Latest`, the type of its values; of others, what they guard.
fn type_of(it: &Description) -> String {
    let schema = match (it.latest(), primitive::alone(it)) {
        (Some(_), _) => Some(&it.schema),
        (None, Some(alone)) => primitive::value(alone),
        (None, None) => return primitive::kinds(it),
    };
    let Some(schema) = schema else { return "-".into() };
    let named = match schema.shape() {
        Shape::Enum { .. } => format!(" ({})", description::variants(schema)),
        _ => String::new(),
    };
    format!("{}{named}, {}", description::type_name(schema), format::bytes(schema.size()))
}

fn users(it: &Description) -> String {
    let (alive, dead) = description::participants(it);
    let told = format!("{alive}, at most {}", it.max_participants);
    match dead {
        0 => told,
        _ => format!("{told}; {dead} died, and the next to join frees the place"),
    }
}

fn values(it: &Description, latest: &LatestContent) -> String {
    let set = match latest.sequence {
        0 => "none yet".into(),
        1 => "1 was set".into(),
        many => format!("{} were set", format::count(many)),
    };
    match latest.half_written {
        Some(number)
            if it
                .participants
                .iter()
                .any(|participant| participant.alive && participant.is_owner) =>
        {
            format!("{set}; number {} is being written", format::count(number))
        }
        Some(number) => {
            format!("{set}; number {} was left half-written", format::count(number))
        }
        None => set,
    }
}

fn writers(it: &Description, latest: &LatestContent) -> String {
    let (alive, dead) = description::participants(it);
    let mut told = match latest.shared_writers {
        true => format!("{alive} in turn, at most {}", it.max_participants),
        false => format!("{alive} of 1"),
    };
    if dead > 0 {
        told += &format!("; {dead} died, and the next to join frees the place");
    }
    if latest.deaths > 0 {
        told += &format!("; {} dead replaced so far", latest.deaths);
    }
    told
}

fn participant(it: &Participant) -> [String; 6] {
    let writes = it.role == Role::Writer;
    let state = match (it.alive, it.is_owner, it.waiting) {
        (true, true, _) if writes => "alive, may write now".into(),
        (true, _, 0) => "alive".into(),
        (true, _, 1) => "alive, waits".into(),
        (true, _, threads) => format!("alive, {threads} threads wait"),
        (false, true, _) if writes => "dead, had the right to write".into(),
        (false, ..) => "dead".into(),
    };
    [
        it.slot.to_string(),
        it.role.as_str().into(),
        it.pid.to_string(),
        it.program.clone(),
        format::moment(it.joined),
        state,
    ]
}
