//! What is told of locks, semaphores, events and the like, in words and as JSON.

use serde_json::{Value as Json, json};
use shmkit::Kind;
use shmkit::inspect::{self, Description, Holder, Holding, PrimitiveContent, PrimitiveState};
use shmkit::shareable::Schema;
use shmkit::sync::named::Named;
use shmkit::sync::{NoData, Primitive};

use crate::exit::SomethingElse;
use crate::{Global, advice, description, format, output};

/// The description of the value that it guards, if there is more to it than the lock.
pub(crate) fn value(it: &PrimitiveContent) -> Option<&Schema> {
    it.value.as_ref().filter(|schema| **schema != Schema::of::<NoData>())
}

/// Opens a primitive, and takes part in it.
pub(crate) fn open<P: Primitive>(name: &str, global: &Global) -> anyhow::Result<Named<P>> {
    let options = Named::<P>::options().directory(global.directory()).trust(global.trust);
    options.open(name).map_err(|error| advice::explained(error, &global.directory()))
}

/// The primitive of an object that holds nothing else.
pub(crate) fn alone(it: &Description) -> Option<&PrimitiveContent> {
    it.primitives().first().filter(|_| it.kind != Kind::Group)
}

/// The kinds in a group.
pub(crate) fn kinds(it: &Description) -> String {
    it.primitives().iter().map(|it| it.kind.as_str()).collect::<Vec<_>>().join(" + ")
}

/// `2 rwlock, Limits, 24 B: locked; 3 threads wait`.
pub(crate) fn heading(it: &PrimitiveContent) -> String {
    let number = match it.number.as_str() {
        "" => String::new(),
        number => format!("{number} "),
    };
    let value = value(it).map(|schema| {
        format!(", {}, {}", description::type_name(schema), format::bytes(schema.size()))
    });
    let waiting = match it.waiting {
        0 => String::new(),
        1 => "; 1 thread waits".into(),
        many => format!("; {many} threads wait"),
    };
    let (kind, state) = (it.kind.as_str(), &it.state);
    format!("{number}{kind}{}: {state}{waiting}", value.unwrap_or_default())
}

/// `process 42 (shm) in slot 0 holds it`.
pub(crate) fn sentence(it: &Holder) -> String {
    let who = match (it.pid, &it.program) {
        (Some(pid), Some(program)) => format!("process {pid} ({program}) in"),
        _ => "one who was in".into(),
    };
    let died = if it.alive { "" } else { " is gone, and still" };
    format!("{who} slot {}{died} {}", it.slot, it.what)
}

/// The first who has something of it, and how many more do.
pub(crate) fn held_by(it: &Description) -> String {
    let all = it.primitives().iter().flat_map(|it| &it.holders);
    let mut holders = all.filter(|it| it.what != Holding::Waiting);
    let Some(first) = holders.next() else { return "-".into() };
    let who = match (first.pid, &first.program) {
        (Some(pid), Some(program)) => format!("{pid} ({program})"),
        _ => format!("slot {}", first.slot),
    };
    let dead = if first.alive { "" } else { ", dead" };
    match holders.count() {
        0 => format!("{who}{dead}"),
        more => format!("{who}{dead} and {more} more"),
    }
}

/// How many threads wait for something in it.
pub(crate) fn waiting(it: &Description) -> u64 {
    it.primitives().iter().map(|it| u64::from(it.waiting)).sum()
}

/// Everything, for scripts.
pub(crate) fn json(it: &PrimitiveContent) -> Json {
    let fields = value(it).map(description::fields_json).unwrap_or_default();
    let mut report = json!({
        "number": it.number,
        "kind": it.kind.as_str(),
        "type": value(it).map(description::type_name),
        "fields": fields,
        "state": it.state.to_string(),
        "waiting": it.waiting,
        "holders": it.holders.iter().map(holder_json).collect::<Vec<_>>(),
    });
    if let (Json::Object(report), Json::Object(state)) = (&mut report, state_json(&it.state)) {
        report.extend(state);
    }
    report
}

fn state_json(state: &PrimitiveState) -> Json {
    match state {
        PrimitiveState::Lock { exclusive, shared, inconsistent } => {
            json!({ "exclusive": exclusive, "shared": shared, "inconsistent": inconsistent })
        }
        PrimitiveState::Once { done, doing, failed } => {
            json!({ "done": done, "doing": doing, "failed": failed })
        }
        PrimitiveState::Condvar { notified, .. } => json!({ "notified": notified }),
        PrimitiveState::Semaphore { available } => json!({ "available": available }),
        PrimitiveState::Event { set, reset } => {
            json!({ "set": set, "reset": reset.map(|it| it.as_str()) })
        }
        PrimitiveState::Barrier { parties, round, arrived, joined } => {
            json!({ "parties": parties, "round": round, "arrived": arrived, "joined": joined })
        }
        PrimitiveState::Latch { parties, open, arrived, joined } => {
            json!({ "parties": parties, "open": open, "arrived": arrived, "joined": joined })
        }
        _ => json!({}),
    }
}

fn holder_json(it: &Holder) -> Json {
    let times = match it.what {
        Holding::Shared(times) | Holding::Permits(times) => times,
        _ => 1,
    };
    json!({
        "slot": it.slot,
        "what": it.what.to_string(),
        "times": times,
        "pid": it.pid,
        "program": it.program,
        "alive": it.alive,
    })
}

/// What `show` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The name of the object
    name: String,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Shows the primitive of this kind that stands alone under a name, and gives its state.
pub(crate) fn show(args: &ShowArgs, kind: Kind, global: &Global) -> anyhow::Result<PrimitiveState> {
    let it = look(&args.name, kind, global)?;
    if args.json {
        output::line(json(&it))?;
    } else {
        output::line(heading(&it))?;
        for holder in &it.holders {
            output::line(format_args!("  {}", sentence(holder)))?;
        }
    }
    Ok(it.state)
}

fn look(name: &str, kind: Kind, global: &Global) -> anyhow::Result<PrimitiveContent> {
    let directory = global.directory();
    let it = inspect::describe(&directory, name, global.trust);
    let it = it.map_err(|error| advice::explained(error, &directory))?;
    if it.kind != kind {
        let (found, asked) = (it.kind.as_str(), kind.as_str());
        let why = format!("cannot show \"{name}\": it is no {asked}, but of kind {found}");
        return Err(SomethingElse(why).into());
    }
    let missing = || SomethingElse(format!("cannot show \"{name}\": nothing is described in it"));
    Ok(alone(&it).cloned().ok_or_else(missing)?)
}
