//! What is told of an object, in words and as JSON.

use std::time::SystemTime;

use serde_json::{Value as Json, json};
use shmkit::inspect::{Condition, Description, Participant};
use shmkit::shareable::Schema;
use shmkit::shareable::schema::Shape;

use crate::{format, primitive};

/// How a type is spelled: a struct or an enum by its name, the others as in Rust.
pub(crate) fn type_name(schema: &Schema) -> String {
    match schema.shape() {
        Shape::Scalar(scalar) => scalar.name().into(),
        Shape::Array { item, len } => format!("[{}; {len}]", type_name(item)),
        Shape::Text { capacity } => format!("FixedString<{capacity}>"),
        Shape::List { item, capacity } => format!("FixedVec<{}, {capacity}>", type_name(item)),
        Shape::Maybe { item } => format!("Maybe<{}>", type_name(item)),
        Shape::Struct { .. } if schema.name().is_empty() => "struct".into(),
        Shape::Enum { .. } if schema.name().is_empty() => "enum".into(),
        _ => schema.name().into(),
    }
}

/// A field, at any depth.
pub(crate) struct Field {
    /// `position.x`; of an array or a list, its first item's: `joints[0].angle`.
    pub(crate) path: String,
    /// In bytes from the value's start.
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) type_name: String,
}

/// Every field, outer ones before those in them.
pub(crate) fn fields(schema: &Schema) -> Vec<Field> {
    let mut found = Vec::new();
    collect(schema, "", 0, &mut found);
    found
}

fn collect(schema: &Schema, path: &str, offset: u64, found: &mut Vec<Field>) {
    match schema.shape() {
        Shape::Struct { fields } => {
            for field in fields {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{}", field.name);
                let offset = offset + field.offset;
                let (schema, size) = (&field.schema, field.schema.size());
                let type_name = match schema.shape() {
                    Shape::Enum { .. } => format!("{}: {}", type_name(schema), variants(schema)),
                    _ => type_name(schema),
                };
                found.push(Field { path: path.clone(), offset, size, type_name });
                collect(schema, &path, offset, found);
            }
        }
        Shape::Array { item, .. } => collect(item, &format!("{path}[0]"), offset, found),
        Shape::List { item, .. } => {
            let items = 8_u64.next_multiple_of(item.align());
            collect(item, &format!("{path}[0]"), offset + items, found);
        }
        _ => {}
    }
}

/// `u8, Parked = 0, Driving = 1`.
pub(crate) fn variants(schema: &Schema) -> String {
    let Shape::Enum { repr, variants } = schema.shape() else { return String::new() };
    let each = variants.iter().map(|it| format!(", {} = {}", it.name, it.value));
    format!("{}{}", repr.name(), each.collect::<String>())
}

/// The fields, for scripts.
pub(crate) fn fields_json(schema: &Schema) -> Vec<Json> {
    fields(schema).iter().map(field_json).collect()
}

/// How many living participants there are, and how many dead ones still have a place.
pub(crate) fn participants(description: &Description) -> (usize, usize) {
    let alive = description.participants.iter().filter(|it| it.alive).count();
    (alive, description.participants.len() - alive)
}

/// What to know of an object that cannot be used as it is.
pub(crate) fn hindrance(description: &Description) -> Option<&'static str> {
    match description.condition {
        Condition::Ready => None,
        Condition::Retired => Some("half removed: its remover died"),
        Condition::Abandoned => Some("abandoned: it was for use only, and its last user died"),
        Condition::EarlierBoot => Some("of an earlier boot of the machine"),
        other => Some(other.as_str()),
    }
}

/// Everything, for scripts.
pub(crate) fn json(it: &Description) -> Json {
    let latest = it.latest();
    let guarded = || primitive::alone(it).and_then(primitive::value);
    let values = latest.map(|_| &it.schema).or_else(guarded);
    let (alive, _) = participants(it);
    json!({
        "name": it.name,
        "kind": it.kind.as_str(),
        "type": values.map(type_name),
        "schema": it.schema.to_string(),
        "fields": values.map(fields_json).unwrap_or_default(),
        "value_bytes": values.map(Schema::size),
        "file": it.file.to_string_lossy(),
        "size": it.size,
        "owner": it.owner,
        "access": it.access.as_str(),
        "mode": it.mode.map(|mode| format!("{mode:04o}")),
        "read_only_peers": it.read_only_peers,
        "lifetime": it.lifetime.as_str(),
        "shared_writers": latest.map(|it| it.shared_writers),
        "condition": it.condition.as_str(),
        "created": format::moment(it.created),
        "created_unix_ns": unix_ns(it.created),
        "creator_pid": it.creator_pid,
        "object_id": format!("{:032x}", it.object_id),
        "writers": latest.map(|_| alive),
        "readers": latest.map(|_| it.readers),
        "sequence": latest.map(|it| it.sequence),
        "half_written": latest.and_then(|it| it.half_written),
        "deaths": latest.map(|it| it.deaths),
        "primitives": it.primitives().iter().map(primitive::json).collect::<Vec<_>>(),
        "max_participants": it.max_participants,
        "participants": it.participants.iter().map(participant_json).collect::<Vec<_>>(),
    })
}

fn field_json(it: &Field) -> Json {
    json!({ "path": it.path, "offset": it.offset, "size": it.size, "type": it.type_name })
}

fn participant_json(it: &Participant) -> Json {
    json!({
        "slot": it.slot,
        "role": it.role.as_str(),
        "pid": it.pid,
        "program": it.program,
        "joined": format::moment(it.joined),
        "alive": it.alive,
        "is_owner": it.is_owner,
        "waiting": it.waiting,
    })
}

fn unix_ns(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_at_any_depth_with_their_offset_in_the_value() {
        let text = "Arm(56,8){mode@0:Mode(u8){Off=0,On=1},name@8:text<8>,\
                    joints@24:[Joint(8,4){angle@0:f32,load@4:f32};2],\
                    more@40:list<In(2,1){a@0:u8,b@1:u8},4>}";
        let fields = fields(&Schema::parse(text).unwrap());
        let shown: Vec<_> =
            fields.iter().map(|it| format!("{} {} {}", it.path, it.offset, it.type_name)).collect();
        let expected = [
            "mode 0 Mode: u8, Off = 0, On = 1",
            "name 8 FixedString<8>",
            "joints 24 [Joint; 2]",
            "joints[0].angle 24 f32",
            "joints[0].load 28 f32",
            "more 40 FixedVec<In, 4>",
            "more[0].a 48 u8",
            "more[0].b 49 u8",
        ];
        assert_eq!(shown, expected);
    }
}
