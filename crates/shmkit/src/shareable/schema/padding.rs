//! The bytes of a value that mean nothing. In shared memory they are zeros, so that a process that
//! sets a value shares no other bytes.

use std::borrow::Cow;

use super::value::length;
use super::{LENGTH, Schema, Shape, items_offset, maybe_offset};
use crate::shareable::room_for;
use crate::{ErrorKind, Result};

impl Schema {
    /// Checks a value that is to be set, and returns it with zeros as its padding.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument), with the field, if the bytes are not a
    /// value of this type; [`OutOfSpace`](ErrorKind::OutOfSpace) if there is no memory for a copy.
    pub(crate) fn to_set<'v>(&self, value: &'v [u8]) -> Result<Cow<'v, [u8]>> {
        self.check(value).map_err(|error| error.of_kind(ErrorKind::InvalidArgument))?;
        if !is_padded(self) {
            return Ok(value.into());
        }
        let mut copy = room_for(self.size, 0)?;
        put_parts(self, value, &mut copy);
        Ok(copy.into())
    }
}

/// Whether a value of the type has bytes that belong to none of its parts.
fn is_padded(schema: &Schema) -> bool {
    let fills = |bytes: u64| bytes == schema.size;
    match &schema.shape {
        Shape::Scalar(_) | Shape::Enum { .. } => false,
        Shape::Text { capacity } => !fills(LENGTH + capacity),
        Shape::Array { item, .. } => is_padded(item),
        Shape::List { item, capacity } => !fills(LENGTH + capacity * item.size) || is_padded(item),
        Shape::Maybe { item } => !fills(1 + item.size) || is_padded(item),
        Shape::Struct { fields } => {
            let parts = fields.iter().map(|field| &field.schema);
            !fills(parts.clone().map(|part| part.size).sum()) || parts.into_iter().any(is_padded)
        }
    }
}

/// Copies the parts of a value, which was checked, to zeros.
fn put_parts(schema: &Schema, value: &[u8], to: &mut [u8]) {
    match &schema.shape {
        Shape::Scalar(_) | Shape::Enum { .. } => to.copy_from_slice(value),
        Shape::Array { item, len } => put_items(item, 0, *len, value, to),
        Shape::Struct { fields } => {
            fields.iter().for_each(|field| put(&field.schema, field.offset, value, to));
        }
        Shape::Text { capacity } => {
            let end = (LENGTH + capacity) as usize;
            to[..end].copy_from_slice(&value[..end]);
        }
        Shape::List { item, .. } => {
            put_items(item, items_offset(item), length(value), value, to);
            to[..LENGTH as usize].copy_from_slice(&value[..LENGTH as usize]);
        }
        Shape::Maybe { item } => {
            if value[0] != 0 {
                put(item, maybe_offset(item), value, to);
            }
            to[0] = value[0];
        }
    }
}

/// Copies a part.
fn put(part: &Schema, at: u64, value: &[u8], to: &mut [u8]) {
    let place = at as usize..(at + part.size) as usize;
    put_parts(part, &value[place.clone()], &mut to[place]);
}

/// Copies so many items from `start` on.
fn put_items(item: &Schema, start: u64, len: u64, value: &[u8], to: &mut [u8]) {
    if is_padded(item) {
        return (0..len).for_each(|index| put(item, start + index * item.size, value, to));
    }
    let place = start as usize..(start + len * item.size) as usize;
    to[place.clone()].copy_from_slice(&value[place]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value with its padding, and what it is without.
    fn cleared(schema: &str, value: &[u8]) -> Vec<u8> {
        Schema::parse(schema).unwrap().to_set(value).unwrap().into_owned()
    }

    #[test]
    fn all_bytes_between_and_behind_the_parts_become_zeros() {
        const E: u8 = 0xee;
        for (schema, value, expected) in [
            ("(8,4){x@0:u32,y@4:u8}", vec![1, 2, 3, 4, 5, E, E, E], vec![1, 2, 3, 4, 5, 0, 0, 0]),
            (
                "[(4,2){x@0:u8,y@2:u16};2]",
                vec![1, E, 2, 3, 4, E, 5, 6],
                vec![1, 0, 2, 3, 4, 0, 5, 6],
            ),
            (
                "(8,4){x@0:[u8;3],y@4:u32}",
                vec![1, 2, 3, E, 4, 5, 6, 7],
                vec![1, 2, 3, 0, 4, 5, 6, 7],
            ),
            ("maybe<u16>", vec![1, E, 7, 8], vec![1, 0, 7, 8]),
            ("maybe<u16>", vec![0, E, 0, 0], vec![0; 4]),
            ("maybe<(4,2){x@0:u8,y@2:u16}>", vec![1, E, 1, E, 7, 8], vec![1, 0, 1, 0, 7, 8]),
            (
                "text<3>",
                vec![2, 0, 0, 0, 0, 0, 0, 0, b'h', b'i', 0, E, E, E, E, E],
                vec![2, 0, 0, 0, 0, 0, 0, 0, b'h', b'i', 0, 0, 0, 0, 0, 0],
            ),
            (
                "list<u16,3>",
                vec![2, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, E, E],
                vec![2, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0],
            ),
            (
                "list<(4,2){x@0:u8,y@2:u16},1>",
                vec![1, 0, 0, 0, 0, 0, 0, 0, 1, E, 2, 3, E, E, E, E],
                vec![1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 3, 0, 0, 0, 0],
            ),
        ] {
            assert_eq!(cleared(schema, &value), expected, "{schema}");
        }
    }

    #[test]
    fn a_value_without_padding_is_not_copied_and_a_wrong_one_is_refused() {
        for (schema, size) in [("(8,4){x@0:u32,y@4:f32}", 8), ("list<u64,2>", 24), ("maybe<u8>", 2)]
        {
            let (schema, value) = (Schema::parse(schema).unwrap(), vec![0; size]);
            assert!(matches!(schema.to_set(&value).unwrap(), Cow::Borrowed(_)));
            let error = schema.to_set(&value[1..]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
    }
}
