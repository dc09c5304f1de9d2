//! A message whose type is known only at run time: for the command, for C and Python.

use std::borrow::Cow;

use super::message::check_len;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{ObjectLayout, ValueType};
use crate::shareable::Schema;
use crate::shareable::schema::Shape;

/// The type of the messages of an object, as its schema and its header say it.
#[derive(Debug)]
pub(in crate::channel) struct AnyMessage {
    /// The type of the value, or of each element of a list.
    element: Schema,
    /// The most elements of a list; 0 if each message is one value.
    max_len: u64,
    /// The type of the value, or of the longest list.
    value: Schema,
}

impl AnyMessage {
    /// The messages of a new object: values of this type, or lists of up to `max_len` of them.
    pub(in crate::channel) fn new(element: &Schema, max_len: Option<u64>) -> Result<Self> {
        let value = match max_len {
            None => Some(element.clone()),
            // Parsed, because a type around it can be nested too deep.
            Some(len) => {
                let list = element.clone().repeated(len);
                list.and_then(|list| Schema::parse(&list.to_string()).ok())
            }
        };
        let (element, max_len) = (element.clone(), max_len.unwrap_or(0));
        match value {
            Some(value) => Ok(Self { element, max_len, value }),
            None => {
                let why = format!("no object has lists of up to {max_len} of {element}");
                Err(Error::new(ErrorKind::InvalidArgument, why))
            }
        }
    }

    /// The messages of an object.
    pub(in crate::channel) fn of(layout: &ObjectLayout) -> Result<Self> {
        let schema = Schema::parse(&layout.schema)?;
        let value = schema.value().cloned();
        let found = value.and_then(|value| Self::of_value(value, layout.item_length));
        found
            .ok_or_else(|| Error::new(ErrorKind::Corrupt, "its schema has no type of its messages"))
    }

    /// The messages of which the longest one is such a value. `None`: it is no list of `max_len`.
    pub(in crate::channel) fn of_value(value: Schema, max_len: u64) -> Option<Self> {
        let element = match (value.shape(), max_len) {
            (_, 0) => value.clone(),
            (Shape::Array { item, len }, _) if *len == max_len => (**item).clone(),
            _ => return None,
        };
        Some(Self { element, max_len, value })
    }

    /// Refuses an object with messages of another type.
    pub(in crate::channel) fn check_same(&self, found: &Self) -> Result<()> {
        let why = match (self.max_len, found.max_len) {
            (0, 0) | (1.., 1..) => self.element.first_difference(&found.element),
            (0, _) => Some("each message is one value here, and a list in the object".into()),
            (_, 0) => Some("each message is a list here, and one value in the object".into()),
        };
        why.map_or(Ok(()), |why| Err(Error::new(ErrorKind::WrongType, why)))
    }

    /// The type of the value, or of each element of a list.
    pub(in crate::channel) fn element(&self) -> &Schema {
        &self.element
    }

    /// The most elements of a list. `None`: each message is one value.
    pub(in crate::channel) fn max_len(&self) -> Option<u64> {
        Some(self.max_len).filter(|len| *len > 0)
    }

    /// The type of the value, or of the longest list.
    pub(in crate::channel) fn value(&self) -> &Schema {
        &self.value
    }

    /// The same for a plan.
    pub(in crate::channel) fn value_type(&self) -> ValueType<'_> {
        ValueType::Schema(&self.value)
    }

    /// Checks a message that is to be sent, and returns it with zeros as its padding.
    pub(in crate::channel) fn to_send<'m>(&self, message: &'m [u8]) -> Result<Cow<'m, [u8]>> {
        let invalid = |error: Error| error.of_kind(ErrorKind::InvalidArgument);
        match self.list(message).map_err(invalid)? {
            Some(list) => list.to_set(message),
            None if self.max_len == 0 => self.value.to_set(message),
            None => Ok(message.into()),
        }
    }

    /// Checks a message that was received.
    pub(in crate::channel) fn check(&self, message: &[u8]) -> Result<()> {
        match self.list(message)? {
            Some(list) => list.check(message),
            None if self.max_len == 0 => self.value.check(message),
            None => Ok(()),
        }
    }

    /// The type of a list that is not empty.
    fn list(&self, message: &[u8]) -> Result<Option<Schema>> {
        if self.max_len == 0 || message.is_empty() {
            return Ok(None);
        }
        let (bytes, each) = (message.len() as u64, self.element.size());
        if bytes % each > 0 {
            let why = format!("{bytes} bytes are no whole number of elements of {each} bytes");
            return Err(Error::new(ErrorKind::Corrupt, why));
        }
        check_len((bytes / each) as usize, self.max_len)?;
        Ok(self.element.clone().repeated(bytes / each))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn messages(element: &str, max_len: Option<u64>) -> AnyMessage {
        AnyMessage::new(&Schema::parse(element).unwrap(), max_len).unwrap()
    }

    #[test]
    fn a_list_is_checked_element_by_element_and_padding_becomes_zeros() {
        let lists = messages("(4,2){x@0:bool,y@2:u16}", Some(2));
        let sent = lists.to_send(&[1, 0xee, 2, 3, 0, 0xee, 4, 5]).unwrap();
        assert_eq!(*sent, [1, 0, 2, 3, 0, 0, 4, 5]);
        assert!(lists.to_send(&[]).unwrap().is_empty());
        for (message, why) in [
            (&[1; 12][..], "3 elements, and at most 2"),
            (&[1; 6], "6 bytes are no whole number of elements of 4 bytes"),
            (&[1, 0, 0, 0, 2, 0, 0, 0], "field [1].x is 2"),
        ] {
            let error = lists.to_send(message).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(why), "{error}");
            assert!(lists.check(message).is_err());
        }
    }

    #[test]
    fn one_value_has_its_size() {
        let values = messages("u32", None);
        assert_eq!(*values.to_send(&[1, 2, 3, 4]).unwrap(), [1, 2, 3, 4]);
        assert!(values.to_send(&[]).is_err());
        assert!(values.check(&[1; 8]).is_err());
    }

    #[test]
    fn lists_that_no_object_has_are_refused() {
        let byte = Schema::parse("u8").unwrap();
        for len in [0, u64::MAX] {
            let error = AnyMessage::new(&byte, Some(len)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
    }

    #[test]
    fn a_list_is_another_type_than_one_value() {
        let (values, lists) = (messages("u32", None), messages("u32", Some(7)));
        lists.check_same(&messages("u32", Some(9))).unwrap();
        for (ours, theirs) in
            [(&values, &lists), (&lists, &values), (&lists, &messages("i32", Some(7)))]
        {
            assert_eq!(ours.check_same(theirs).unwrap_err().kind(), ErrorKind::WrongType);
        }
    }
}
