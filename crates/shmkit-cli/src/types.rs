//! Types in words: how a type is spelled, and which fields it has.

use shmkit::shareable::Schema;
use shmkit::shareable::schema::Shape;

/// Returns the name of a type: of a struct or an enum its own, else as in Rust.
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

/// Returns the type of a group as in Rust, with kinds for types: `(mutex, [condvar; 2])`.
pub(crate) fn group_name(schema: &Schema) -> String {
    match schema.shape() {
        Shape::Array { item, len } => format!("[{}; {len}]", group_name(item)),
        Shape::Struct { fields } if schema.name() == "group" => match &fields[..] {
            [it] if matches!(it.schema.shape(), Shape::Array { .. }) => group_name(&it.schema),
            members => {
                let members = members.iter().map(|it| group_name(&it.schema));
                format!("({})", members.collect::<Vec<_>>().join(", "))
            }
        },
        _ => type_name(schema),
    }
}

/// A field, at any depth.
pub(crate) struct Field {
    /// `position.x`. For arrays and lists the field of the first item: `joints[0].angle`.
    pub(crate) path: String,
    /// In bytes from the start of the value.
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) type_name: String,
}

/// Returns every field, each before those inside it.
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

/// Returns the variants of an enum: `u8, Parked = 0, Driving = 1`.
pub(crate) fn variants(schema: &Schema) -> String {
    let Shape::Enum { repr, variants } = schema.shape() else { return String::new() };
    let each = variants.iter().map(|it| format!(", {} = {}", it.name, it.value));
    format!("{}{}", repr.name(), each.collect::<String>())
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
