//! Descriptions as JSON, the same for every kind of object.

use std::time::SystemTime;

use serde_json::{Map, Value as Json, json};
use shmkit::inspect::{Description, Holder, PartDescription, Participant, Value};
use shmkit::shareable::Schema;

use crate::description::value;
use crate::format;
use crate::types::{Field, fields, type_name};

/// Returns everything about an object. The state of its only part is also at the top level.
pub(crate) fn object(it: &Description) -> Json {
    let value = it.only_part().and_then(value);
    let mut report = json!({
        "name": it.name,
        "kind": it.kind.as_str(),
        "type": value.map(type_name),
        "schema": it.schema.to_string(),
        "fields": value.map(fields_of).unwrap_or_default(),
        "value_bytes": value.map(Schema::size),
        "file": it.file.to_string_lossy(),
        "size": it.size,
        "owner": it.owner,
        "access": it.access.as_str(),
        "mode": it.mode.map(|mode| format!("{mode:04o}")),
        "read_only_peers": it.read_only_peers,
        "lifetime": it.lifetime.as_str(),
        "condition": it.condition.as_str(),
        "created": format::timestamp(it.created),
        "created_unix_ns": unix_ns(it.created),
        "creator_pid": it.creator_pid,
        "object_id": format!("{:032x}", it.object_id),
        "readers": it.readers,
        "parts": it.parts.iter().map(part).collect::<Vec<_>>(),
        "max_participants": it.max_participants,
        "participants": it.participants.iter().map(participant).collect::<Vec<_>>(),
    });
    if let (Some(part), Json::Object(report)) = (it.only_part(), &mut report) {
        add_state(report, part);
    }
    report
}

/// Returns everything about a part of an object.
pub(crate) fn part(it: &PartDescription) -> Json {
    let mut report = json!({
        "number": it.number,
        "kind": it.kind.as_str(),
        "type": value(it).map(type_name),
        "fields": value(it).map(fields_of).unwrap_or_default(),
        "state": it.state.text,
        "waiting": it.waiting,
        "holders": it.state.holders.iter().map(holder).collect::<Vec<_>>(),
    });
    if let Json::Object(report) = &mut report {
        add_state(report, it);
    }
    report
}

/// Adds the fields of the state. Keys of every kind stay as they are.
fn add_state(report: &mut Map<String, Json>, part: &PartDescription) {
    if let Some(changed) = part.state.changed {
        report.insert("changed".into(), json!(format::timestamp(changed)));
        report.insert("changed_unix_ns".into(), json!(unix_ns(changed)));
    }
    for (name, value) in &part.state.fields {
        report.entry(*name).or_insert_with(|| match value {
            Value::Number(number) => json!(number),
            Value::Flag(flag) => json!(flag),
            Value::Word(word) => json!(word),
            _ => Json::Null,
        });
    }
}

fn fields_of(schema: &Schema) -> Vec<Json> {
    fields(schema).iter().map(field).collect()
}

fn field(it: &Field) -> Json {
    json!({ "path": it.path, "offset": it.offset, "size": it.size, "type": it.type_name })
}

fn holder(it: &Holder) -> Json {
    json!({
        "slot": it.slot,
        "what": it.text(),
        "times": it.count,
        "pid": it.pid,
        "program": it.program,
        "alive": it.is_alive,
    })
}

fn participant(it: &Participant) -> Json {
    json!({
        "slot": it.slot,
        "role": it.role.as_str(),
        "pid": it.pid,
        "program": it.program,
        "joined": format::timestamp(it.joined),
        "alive": it.is_alive,
        "is_owner": it.is_holder,
        "waiting": it.waiting,
    })
}

fn unix_ns(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
