//! The first difference between two types, in words.
//!
//! Two types are the same if their texts without the names of types are the same, of which the
//! fingerprint is a hash. The comparison follows both trees in the order of the fields, and stops
//! at the first difference.

use super::{Field, Schema, Shape, Variant};

impl Schema {
    /// Describes the first difference between this type and the type of an object, `theirs`.
    /// Returns `None` if there is none. The names of types do not matter.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::shareable::Schema;
    ///
    /// let ours = Schema::parse("Tick(16,8){price@0:f64,size@8:u32}")?;
    /// let theirs = Schema::parse("Tick(16,8){price@0:f64,size@8:u64}")?;
    /// let words = "field Tick.size is u32 here and u64 in the object";
    /// assert_eq!(ours.first_difference(&theirs).as_deref(), Some(words));
    /// # Ok::<(), shmkit::Error>(())
    /// ```
    pub fn first_difference(&self, theirs: &Self) -> Option<String> {
        match difference(self, theirs, &self.name)? {
            Difference::Inside(words) => Some(words),
            Difference::Whole => Some(types_differ("the type", self, theirs)),
        }
    }
}

enum Difference {
    /// A part differs: the full description.
    Inside(String),
    /// The types have nothing in common. The caller, which knows the path, describes that.
    Whole,
}

fn difference(ours: &Schema, theirs: &Schema, path: &str) -> Option<Difference> {
    let items = |ours, theirs| difference(ours, theirs, &format!("{path}[]"));
    match (&ours.shape, &theirs.shape) {
        (Shape::Scalar(our), Shape::Scalar(their)) if our == their => None,
        (Shape::Text { capacity: our }, Shape::Text { capacity: their }) if our == their => None,
        (Shape::Array { item: our, len: n }, Shape::Array { item: their, len: m }) if n == m => {
            items(our, their)
        }
        (Shape::List { item: our, capacity: n }, Shape::List { item: their, capacity: m })
            if n == m =>
        {
            items(our, their)
        }
        (Shape::Maybe { item: our }, Shape::Maybe { item: their }) => difference(our, their, path),
        (Shape::Struct { fields: our }, Shape::Struct { fields: their }) => {
            of_fields(our, their, path)
                .or_else(|| of_size(ours, theirs, path))
                .map(Difference::Inside)
        }
        (
            Shape::Enum { repr: our_repr, variants: our },
            Shape::Enum { repr: their_repr, variants: their },
        ) => {
            let (our_repr, their_repr) = (our_repr.name(), their_repr.name());
            if our_repr == their_repr {
                return of_variants(our, their, path).map(Difference::Inside);
            }
            let what = subject(path);
            let words = format!("{what} is an enum of {our_repr} here and of {their_repr}");
            Some(Difference::Inside(format!("{words} in the object")))
        }
        _ => Some(Difference::Whole),
    }
}

fn of_fields(ours: &[Field], theirs: &[Field], path: &str) -> Option<String> {
    let place = |fields: &[Field], name| fields.iter().position(|field| field.name == name);
    let not_there = |name| format!("field {path}.{name} is not in the object");
    let not_here = |name| format!("field {path}.{name} of the object is not here");
    for (index, our) in ours.iter().enumerate() {
        let name = our.name.as_str();
        let Some(their) = theirs.get(index) else {
            return Some(match place(theirs, name) {
                None => not_there(name),
                Some(there) => positions_differ(path, name, index, there),
            });
        };
        if their.name != name {
            return Some(match (place(theirs, name), place(ours, &their.name)) {
                (None, None) => {
                    format!("field {path}.{name} is called {} in the object", their.name)
                }
                (None, Some(_)) => not_there(name),
                (Some(_), None) => not_here(&their.name),
                (Some(there), Some(_)) => positions_differ(path, name, index, there),
            });
        }
        let path = format!("{path}.{name}");
        if our.role != their.role {
            let [our, their] = [our, their].map(|field| match field.role.as_str() {
                "" => "a plain field",
                role => role,
            });
            return Some(format!("field {path} is {our} here and {their} in the object"));
        }
        match difference(&our.schema, &their.schema, &path) {
            None => {}
            Some(Difference::Inside(words)) => return Some(words),
            Some(Difference::Whole) => {
                return Some(types_differ(&subject(&path), &our.schema, &their.schema));
            }
        }
        if our.offset != their.offset {
            let (our, their) = (our.offset, their.offset);
            return Some(format!("field {path} is at byte {our} here and {their} in the object"));
        }
    }
    theirs.get(ours.len()).map(|their| not_here(&their.name))
}

fn positions_differ(path: &str, name: &str, here: usize, there: usize) -> String {
    let (here, there) = (here + 1, there + 1);
    format!("field {path}.{name} is number {here} here and number {there} in the object")
}

/// Compares size and alignment of structs with the same fields.
fn of_size(ours: &Schema, theirs: &Schema, path: &str) -> Option<String> {
    let what = subject(path);
    let (our, their) = (ours.size, theirs.size);
    if our != their {
        return Some(format!("{what} is {our} bytes here and {their} in the object"));
    }
    let (our, their) = (ours.align, theirs.align);
    (our != their)
        .then(|| format!("{what} is aligned to {our} bytes here and to {their} in the object"))
}

fn of_variants(ours: &[Variant], theirs: &[Variant], path: &str) -> Option<String> {
    let what = subject(path);
    let named = |variants: &[Variant], name: &str| {
        variants.iter().find(|variant| variant.name == name).map(|variant| variant.value)
    };
    for Variant { name, value } in ours {
        match named(theirs, name) {
            Some(their) if their == *value => continue,
            Some(their) => {
                let words = format!("variant {name} of {what} is {value} here and {their}");
                return Some(format!("{words} in the object"));
            }
            None => {}
        }
        return Some(match theirs.iter().find(|variant| variant.value == *value) {
            Some(their) if named(ours, &their.name).is_none() => {
                format!("variant {name} of {what} is called {} in the object", their.name)
            }
            _ => format!("variant {name} of {what} is not in the object"),
        });
    }
    let added = theirs.iter().find(|variant| named(ours, &variant.name).is_none())?;
    Some(format!("variant {} of {what} in the object is not here", added.name))
}

/// Returns the subject of a sentence about `path`.
fn subject(path: &str) -> String {
    if path.is_empty() {
        "the type".into()
    } else if path.contains(['.', '[']) {
        format!("field {path}")
    } else {
        path.into()
    }
}

fn types_differ(what: &str, ours: &Schema, theirs: &Schema) -> String {
    format!("{what} is {} here and {} in the object", spelled(ours), spelled(theirs))
}

/// Returns the type as a Rust program spells it.
pub(in crate::shareable) fn spelled(schema: &Schema) -> String {
    match &schema.shape {
        Shape::Scalar(scalar) => scalar.name().into(),
        Shape::Array { item, len } => format!("[{}; {len}]", spelled(item)),
        Shape::Text { capacity } => format!("FixedString<{capacity}>"),
        Shape::List { item, capacity } => format!("FixedVec<{}, {capacity}>", spelled(item)),
        Shape::Maybe { item } => format!("Maybe<{}>", spelled(item)),
        Shape::Struct { .. } => format!("struct {}", schema.name).trim_end().into(),
        Shape::Enum { .. } => format!("enum {}", schema.name).trim_end().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(ours: &str, theirs: &str) -> Option<String> {
        let (ours, theirs) = (Schema::parse(ours).unwrap(), Schema::parse(theirs).unwrap());
        let words = ours.first_difference(&theirs);
        assert_eq!(words.is_none(), ours.fingerprint() == theirs.fingerprint());
        assert_eq!(words.is_none(), theirs.first_difference(&ours).is_none());
        words
    }

    #[test]
    fn names_of_types_do_not_matter() {
        let ours = "A(8,4){x@0:B(4,4){y@0:u32},z@4:C(u32){w=1}}";
        let theirs = "D(8,4){x@0:E(4,4){y@0:u32},z@4:F(u32){w=1}}";
        assert_eq!(words(ours, theirs), None);
    }

    #[test]
    fn a_difference_between_fields_is_described() {
        let ours = "T(24,8){a@0:u64,b@8:u64,c@16:u32}";
        for (theirs, expected) in [
            ("T(24,8){a@0:u64,b@8:f64,c@16:u32}", "field T.b is u64 here and f64 in the object"),
            ("T(24,8){a@0:u64,x@8:u64,c@16:u32}", "field T.b is called x in the object"),
            (
                "T(24,8){b@0:u64,a@8:u64,c@16:u32}",
                "field T.a is number 1 here and number 2 in the object",
            ),
            ("T(16,8){a@0:u64,c@8:u32}", "field T.b is not in the object"),
            ("T(16,8){a@0:u64,b@8:u64}", "field T.c is not in the object"),
            ("T(32,8){z@0:u8,a@8:u64,b@16:u64,c@24:u32}", "field T.z of the object is not here"),
            ("T(24,8){a@0:u64,b@8:u64,c@16:u32,z@20:u32}", "field T.z of the object is not here"),
            (
                "T(24,8){a@0:u64,b@8:u64,c@20:u32}",
                "field T.c is at byte 16 here and 20 in the object",
            ),
            ("T(32,8){a@0:u64,b@8:u64,c@16:u32}", "T is 24 bytes here and 32 in the object"),
            ("T(32,32){a@0:u64,b@8:u64,c@16:u32}", "T is 24 bytes here and 32 in the object"),
            ("T(24,8){c@0:u32,b@8:u64}", "field T.a is not in the object"),
            (
                "T(24,8){a@0:u64,b@8:u64,c@16:T(u32){a=0}}",
                "field T.c is u32 here and enum T in the object",
            ),
            ("u64", "the type is struct T here and u64 in the object"),
        ] {
            assert_eq!(words(ours, theirs).as_deref(), Some(expected), "{theirs}");
        }
        let aligned = "T is aligned to 8 bytes here and to 16 in the object";
        assert_eq!(words("T(16,8){a@0:u64}", "T(16,16){a@0:u64}").as_deref(), Some(aligned));
    }

    #[test]
    fn a_difference_inside_a_field_is_described_with_its_path() {
        for (ours, theirs, expected) in [
            ("[f32;3]", "[f32;4]", "field T.v is [f32; 3] here and [f32; 4] in the object"),
            ("[f32;3]", "[u32;3]", "field T.v is [f32; 3] here and [u32; 3] in the object"),
            (
                "text<8>",
                "text<9>",
                "field T.v is FixedString<8> here and FixedString<9> in the object",
            ),
            (
                "list<u8,8>",
                "list<u8,4>",
                "field T.v is FixedVec<u8, 8> here and FixedVec<u8, 4> in the object",
            ),
            ("maybe<u8>", "u8", "field T.v is Maybe<u8> here and u8 in the object"),
            ("maybe<u8>", "maybe<i8>", "field T.v is Maybe<u8> here and Maybe<i8> in the object"),
            (
                "[P(1,1){x@0:u8};2]",
                "[P(1,1){x@0:i8};2]",
                "field T.v[].x is u8 here and i8 in the object",
            ),
            ("E(u8){a=0}", "E(i8){a=0}", "field T.v is an enum of u8 here and of i8 in the object"),
            ("E(u8){a=0}", "E(u8){a=1}", "variant a of field T.v is 0 here and 1 in the object"),
            ("E(u8){a=0}", "E(u8){b=0}", "variant a of field T.v is called b in the object"),
            ("E(u8){a=0,b=1}", "E(u8){b=0}", "variant a of field T.v is not in the object"),
            ("E(u8){a=0}", "E(u8){a=0,b=1}", "variant b of field T.v in the object is not here"),
        ] {
            let wrap = |inner| format!("T(64,8){{v@0:{inner}}}");
            assert_eq!(words(&wrap(ours), &wrap(theirs)).as_deref(), Some(expected));
        }
    }
}
