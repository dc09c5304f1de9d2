//! The types of requests and responses: values, lines, bytes and lists.

use shmkit::shareable::Schema;
use shmkit::shareable::schema::Shape;

use crate::exit::Failure;
use crate::messages::MessageType;
use crate::type_args;

/// The type of requests or of responses.
///
/// Lines, bytes and lists are messages with a length of their own. In the object they are values of
/// a `FixedVec`: a length, and room for the longest one.
pub(super) struct CallType {
    pub(super) messages: MessageType,
    /// The size of a value in the object.
    size: usize,
    list: Option<List>,
}

/// Where the parts of a list are in a value.
struct List {
    items_at: usize,
    item_size: usize,
    capacity: u64,
}

/// The size of the length of a list.
const LENGTH_BYTES: usize = size_of::<u64>();

/// Returns the type that a text describes. `max_size` is an option and its value.
pub(super) fn parse(text: &str, max_size: (&str, Option<u64>)) -> anyhow::Result<Schema> {
    match type_args::parse(text, max_size)? {
        (schema, None) => Ok(schema),
        (item, Some(items)) => Ok(Schema::parse(&format!("list<{item},{items}>"))?),
    }
}

impl CallType {
    pub(super) fn new(schema: &Schema) -> shmkit::Result<Self> {
        let size = schema.size() as usize;
        let Shape::List { item, capacity } = schema.shape() else {
            return Ok(Self { messages: MessageType::new(schema, None)?, size, list: None });
        };
        let items_at = LENGTH_BYTES.next_multiple_of(item.align() as usize);
        let list = List { items_at, item_size: item.size() as usize, capacity: *capacity };
        let messages = MessageType::new(item, Some(*capacity))?;
        Ok(Self { messages, size, list: Some(list) })
    }

    /// Returns the value in the object that a message is.
    pub(super) fn value(&self, message: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let count = message.len();
        let Some(List { items_at, item_size, capacity }) = self.list else {
            return match count == self.size {
                true => Ok(message),
                false => Err(Failure::Usage(format!("it has {count} B, and not {}", self.size))),
            };
        };
        let items = count / item_size.max(1);
        if items as u64 > capacity || items * item_size != count {
            let largest = self.messages.largest();
            let why =
                format!("it has {count} B, and not whole items of {item_size} B, up to {largest}");
            return Err(Failure::Usage(why));
        }
        let mut value = vec![0; self.size];
        value[..LENGTH_BYTES].copy_from_slice(&(items as u64).to_le_bytes());
        value[items_at..items_at + count].copy_from_slice(&message);
        Ok(value)
    }

    /// Returns the message that a value in the object is.
    pub(super) fn message<'v>(&self, value: &'v [u8]) -> &'v [u8] {
        let Some(List { items_at, item_size, .. }) = self.list else { return value };
        let length = value.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let end = (length as usize).saturating_mul(item_size).saturating_add(items_at);
        value.get(items_at..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_value_with_its_length() {
        for (text, max_size, message, size) in [
            ("lines", Some(10), &b"seven"[..], 24),
            ("bytes", Some(4), b"", 16),
            ("[u16]", Some(9), &[1, 0, 2, 0], 16),
            ("[u128]", Some(16), &[7; 16], 32),
            ("u32", None, &[1, 2, 3, 4], 4),
            ("FixedVec<u8, 8>", None, b"seven", 16),
        ] {
            let of = CallType::new(&parse(text, ("--max", max_size)).unwrap()).unwrap();
            let value = of.value(message.into()).unwrap();
            assert_eq!((value.len(), of.message(&value)), (size, message), "{text}");
        }
    }

    #[test]
    fn a_message_that_is_too_long_or_cut_is_refused_with_numbers() {
        let refused = |text: &str, count: usize| {
            let of = CallType::new(&parse(text, ("--max", None)).unwrap()).unwrap();
            of.value(vec![0; count]).unwrap_err().to_string()
        };
        assert_eq!(refused("lines", 5000), "it has 5000 B, and not whole items of 1 B, up to 4096");
        assert_eq!(refused("[u16]", 3), "it has 3 B, and not whole items of 2 B, up to 4096");
        assert_eq!(refused("u32", 3), "it has 3 B, and not 4");
    }
}
