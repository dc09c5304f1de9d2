//! What the type of a value is known by.

use crate::shareable::{Layout, Schema};

/// The type of a value: known when the program was compiled, or read from an object.
#[derive(Clone, Copy)]
pub(crate) enum ValueType<'a> {
    Layout(&'a Layout),
    Schema(&'a Schema),
    /// So many values of a type, one after the other.
    Array(&'a ValueType<'a>, u64),
}

impl ValueType<'_> {
    pub(crate) fn size(self) -> u64 {
        match self {
            Self::Layout(layout) => layout.size() as u64,
            Self::Schema(schema) => schema.size(),
            // A hostile object may have any number of values. The check of the size refuses it.
            Self::Array(item, count) => item.size().saturating_mul(count),
        }
    }

    pub(super) fn align(self) -> u64 {
        match self {
            Self::Layout(layout) => layout.align() as u64,
            Self::Schema(schema) => schema.align(),
            Self::Array(item, _) => item.align(),
        }
    }

    /// The fingerprint; 0 for an array that is too large.
    pub(super) fn fingerprint(self) -> u64 {
        match self {
            Self::Layout(layout) => layout.fingerprint(),
            Self::Schema(schema) => schema.fingerprint(),
            Self::Array(..) => self.schema().map_or(0, |schema| schema.fingerprint()),
        }
    }

    /// The schema. `None` for an array that is too large.
    pub(super) fn schema(self) -> Option<Schema> {
        match self {
            Self::Layout(layout) => Some(Schema::from(layout)),
            Self::Schema(schema) => Some(schema.clone()),
            Self::Array(item, count) => item.schema()?.repeated(count),
        }
    }
}
