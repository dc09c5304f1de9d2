//! `shm info`.

use shmkit::inspect::{self, Description, LatestContent, Member};
use shmkit::shareable::schema::Shape;

use crate::table::table;
use crate::{Global, advice, description, figures, output};

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
    let fields = description::fields(&it.schema);
    if !fields.is_empty() {
        let rows = fields
            .into_iter()
            .map(|it| [it.path, it.offset.to_string(), it.size.to_string(), it.type_name]);
        output::line(format_args!("\n{}", table(["FIELD", "OFFSET", "SIZE", "TYPE"], rows)))?;
    }
    if !it.members.is_empty() {
        let headings = ["SLOT", "ROLE", "PROCESS", "PROGRAM", "SINCE", "STATE"];
        output::line(format_args!("\n{}", table(headings, it.members.iter().map(member))))?;
    }
    Ok(())
}

fn lines(it: &Description) -> Vec<(&'static str, String)> {
    let named = match it.schema.shape() {
        Shape::Enum { .. } => format!(" ({})", description::variants(&it.schema)),
        _ => String::new(),
    };
    let (kind, bytes) = (it.kind.as_str(), figures::bytes(it.schema.size()));
    let type_name = description::type_name(&it.schema);
    let condition = match description::hindrance(it) {
        Some(hindrance) => format!("{hindrance}; `shm doctor --fix` removes it"),
        None => it.condition.as_str().into(),
    };
    let peers = if it.read_only_peers { ", others only to read" } else { "" };
    let other_mode = it.mode.filter(|mode| *mode != it.expected_mode());
    let mode =
        other_mode.map_or_else(String::new, |mode| format!("; but its file has mode {mode:04o}"));
    let created = figures::moment(it.created);
    let mut lines = vec![
        ("kind", kind.to_owned()),
        ("type", format!("{type_name}{named}, {bytes}")),
        ("state", condition),
        ("readers", it.readers.to_string()),
        ("owner", format!("user {}", it.owner)),
        ("access", format!("{}{peers}{mode}", it.access.as_str())),
        ("lifetime", it.lifetime.as_str().into()),
        ("created", format!("{created} by process {}", it.creator_pid)),
        ("file", format!("{}, {}", it.file.display(), figures::bytes(it.size))),
        ("id", format!("{:032x}", it.object_id)),
    ];
    if let Some(latest) = it.latest() {
        lines.splice(3..3, [("values", values(it, latest)), ("writers", writers(it, latest))]);
    }
    lines
}

fn values(it: &Description, latest: &LatestContent) -> String {
    let set = match latest.sequence {
        0 => "none yet".into(),
        1 => "1 was set".into(),
        many => format!("{} were set", figures::count(many)),
    };
    match latest.half_written {
        Some(number) if it.members.iter().any(|member| member.alive && member.is_owner) => {
            format!("{set}; number {} is being written", figures::count(number))
        }
        Some(number) => {
            format!("{set}; number {} was left half-written", figures::count(number))
        }
        None => set,
    }
}

fn writers(it: &Description, latest: &LatestContent) -> String {
    let (alive, dead) = description::writers(it);
    let mut told = match latest.shared_writers {
        true => format!("{alive} in turn, at most {}", it.most_members),
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

fn member(it: &Member) -> [String; 6] {
    let state = match (it.alive, it.is_owner) {
        (true, true) => "alive, may write now",
        (true, false) => "alive",
        (false, true) => "dead, had the right to write",
        (false, false) => "dead",
    };
    [
        it.slot.to_string(),
        it.role.as_str().into(),
        it.pid.to_string(),
        it.program.clone(),
        figures::moment(it.joined),
        state.into(),
    ]
}
