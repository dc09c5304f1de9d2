//! Descriptions in words, the same for every kind of object.

use shmkit::inspect::{Condition, Description, Holder, PartDescription};
use shmkit::shareable::Schema;
use shmkit::sync::NoData;

use crate::format;
use crate::types::{group_name, type_name};

/// Returns the type of the value in a part, if there is one that users see.
pub(crate) fn value(part: &PartDescription) -> Option<&Schema> {
    part.value.as_ref().filter(|schema| **schema != Schema::of::<NoData>())
}

/// Returns the type of the value in the only part, or the type of a group.
pub(crate) fn type_of(it: &Description) -> String {
    match it.only_part() {
        Some(part) => value(part).map_or("-".into(), type_name),
        None => group_name(&it.schema),
    }
}

/// Returns why the object cannot be used and what to do, if it cannot be used.
pub(crate) fn hindrance(it: &Description) -> Option<String> {
    let is_ready = it.condition == Condition::Ready;
    (!is_ready).then(|| format!("{}; `shm doctor --fix` removes it", it.condition.as_str()))
}

/// Returns the state of a part: `2 rwlock, Limits, 24 B: locked; 3 threads wait`.
pub(crate) fn heading(part: &PartDescription) -> String {
    let number = match part.number.as_str() {
        "" => String::new(),
        number => format!("{number} "),
    };
    let value = value(part)
        .map(|schema| format!(", {}, {}", type_name(schema), format::bytes(schema.size())));
    let waiting = match part.waiting {
        0 => String::new(),
        1 => "; 1 thread waits".into(),
        many => format!("; {many} threads wait"),
    };
    let (kind, state) = (part.kind.as_str(), &part.state.text);
    format!("{number}{kind}{}: {state}{waiting}", value.unwrap_or_default())
}

/// The most processes that a message names.
const MAX_NAMED: usize = 3;

/// Names processes, given their ids and programs: `process 42 (planner)`; the last can be `2 more`.
pub(crate) fn processes(all: impl Iterator<Item = (u32, String)>) -> Vec<String> {
    let mut all: Vec<_> = all.collect();
    all.sort_unstable();
    all.dedup_by_key(|(pid, _)| *pid);
    let named = all.iter().take(MAX_NAMED);
    let mut named: Vec<_> =
        named.map(|(pid, program)| format!("process {pid} ({program})")).collect();
    match all.len() - named.len() {
        0 => {}
        more => named.push(format!("{more} more")),
    }
    named
}

/// Returns what a participant holds: `process 42 (shm) in slot 0 holds it`.
pub(crate) fn sentence(it: &Holder) -> String {
    let (slot, holds) = (it.slot, it.text());
    let dead = if it.is_alive { "" } else { ", dead," };
    match (it.pid, &it.program) {
        (Some(pid), Some(program)) => {
            format!("process {pid} ({program}) in slot {slot}{dead} {holds}")
        }
        _ => format!("a process that was in slot {slot}{dead} {holds}"),
    }
}
