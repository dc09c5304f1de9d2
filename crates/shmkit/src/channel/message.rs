//! What a message is, of a topic or of a queue, or a request or a response: one value of a type, or
//! a list of them.
//!
//! ```text
//! T      one value         bytes of T                            its size is a constant
//! [T]    0 to N elements   bytes of T, one after the other       the message has its length
//! ```
//!
//! N is an option of the object, and its header has it as the length of an item, or a part of that;
//! 0: one value.

#![allow(unsafe_code, reason = "treats values as bytes, and checked bytes as values")]

use std::mem::MaybeUninit;
use std::slice;

use super::latest::receive;
use super::latest::writing::encoded;
use crate::error::{Error, ErrorKind, Result};
use crate::object::ValueType;
use crate::shareable::{Shareable, bytes_of};

/// How many bytes a list of the default length has at most.
const DEFAULT_LIST_BYTES: usize = 4 << 10;

/// What a message of a [`Topic`](crate::Topic) or of a [`Queue`](crate::Queue), or a request or a
/// response of a [`Call`](crate::Call), can be: a [`Shareable`] value, or a list `[T]` of such
/// values, where each message has a length of its own.
///
/// It is implemented by this library only.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a message",
    label = "neither a `Shareable` value nor a list `[T]` of them",
    note = "a struct or enum of your own: give it `#[derive(Shareable)]` and a `repr`",
    note = "`Vec<T>`, `&[T]`, `Box<[T]>`: use `[T]`, as in `Topic<[u8]>`: each message then has a \
            length of its own",
    note = "`String`, `str`: use `[u8]`, or `FixedString<N>`",
    note = "`usize`, `isize`: use `u64`, `i64`, which have one size everywhere"
)]
#[allow(private_interfaces, private_bounds, reason = "it is implemented by this library only")]
pub trait Message: sealed::Sealed {
    /// The type of the value, or of each element of the list.
    type Element: Shareable;

    /// What receiving returns: the value, or the list as a `Vec`.
    type Owned;

    /// Where the bytes of a message are copied to, before they are checked.
    #[doc(hidden)]
    type Place: Place + ?Sized;

    /// The most elements of a list, unless the options say another number; 0 for one value.
    #[doc(hidden)]
    const MAX_LEN: u64;

    /// The value, or the elements of the list.
    #[doc(hidden)]
    fn elements(&self) -> &[Self::Element];

    /// The message with these elements: one, unless it is a list.
    #[doc(hidden)]
    fn of(elements: &[Self::Element]) -> &Self;

    /// The same, to change it.
    #[doc(hidden)]
    fn of_mut(elements: &mut [Self::Element]) -> &mut Self;

    /// The bytes of the message, with zeros as padding. `room` is used if there is padding.
    #[doc(hidden)]
    fn bytes<'a>(&'a self, room: &'a mut Vec<u8>) -> &'a [u8];

    /// Calls `fill` to copy the bytes of a message. Returns the message if they are valid, else
    /// `invalid()`.
    ///
    /// `fill` returns `Ok` only once it has written every byte of the room that it was given last.
    #[doc(hidden)]
    fn receive(
        fill: impl FnOnce(&mut Self::Place) -> Result<()>,
        invalid: impl FnOnce() -> Error,
    ) -> Result<Self::Owned>;
}

/// Where the bytes of a message are copied to.
pub(in crate::channel) trait Place {
    /// The room for so many bytes: as many as a value, or as some elements. `None` if there is no
    /// such room. The protocol compares the number with the largest of the object before.
    fn room(&mut self, bytes: usize) -> Option<&mut [MaybeUninit<u8>]>;
}

impl<T: Shareable> Message for T {
    type Element = T;
    type Owned = T;
    type Place = [MaybeUninit<u8>];

    const MAX_LEN: u64 = 0;

    #[inline(always)]
    fn elements(&self) -> &[T] {
        slice::from_ref(self)
    }

    #[inline(always)]
    fn of(elements: &[T]) -> &T {
        &elements[0]
    }

    #[inline(always)]
    fn of_mut(elements: &mut [T]) -> &mut T {
        &mut elements[0]
    }

    #[inline(always)]
    fn bytes<'a>(&'a self, room: &'a mut Vec<u8>) -> &'a [u8] {
        bytes_of(self).unwrap_or_else(|| {
            room.resize(size_of::<T>(), 0);
            encoded(self, room)
        })
    }

    #[inline(always)]
    fn receive(
        fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<()>,
        invalid: impl FnOnce() -> Error,
    ) -> Result<T> {
        receive::value(fill, invalid)
    }
}

impl Place for [MaybeUninit<u8>] {
    #[inline(always)]
    fn room(&mut self, bytes: usize) -> Option<&mut [MaybeUninit<u8>]> {
        (bytes == self.len()).then_some(self)
    }
}

impl<T: Shareable> Message for [T] {
    type Element = T;
    type Owned = Vec<T>;
    type Place = Incoming<T>;

    const MAX_LEN: u64 = {
        assert!(T::LAYOUT.is_element(), "the type is nested too deep to be the element of a list");
        let fit = DEFAULT_LIST_BYTES / size_of::<T>();
        if fit == 0 { 1 } else { fit as u64 }
    };

    #[inline(always)]
    fn elements(&self) -> &[T] {
        self
    }

    #[inline(always)]
    fn of(elements: &[T]) -> &[T] {
        elements
    }

    #[inline(always)]
    fn of_mut(elements: &mut [T]) -> &mut [T] {
        elements
    }

    fn bytes<'a>(&'a self, room: &'a mut Vec<u8>) -> &'a [u8] {
        if !T::PADDED {
            // SAFETY: the elements are initialised bytes without padding, which do not change while
            // they are borrowed, as `Shareable` promises.
            return unsafe { slice::from_raw_parts(self.as_ptr().cast(), size_of_val(self)) };
        }
        room.clear();
        room.resize(size_of_val(self), 0);
        for (element, bytes) in self.iter().zip(room.chunks_exact_mut(size_of::<T>())) {
            element.encode(bytes);
        }
        room
    }

    fn receive(
        fill: impl FnOnce(&mut Incoming<T>) -> Result<()>,
        invalid: impl FnOnce() -> Error,
    ) -> Result<Vec<T>> {
        let mut list = Vec::new();
        receive_list(&mut list, fill, invalid)?;
        Ok(list)
    }
}

/// A list while it is received.
#[derive(Debug)]
pub struct Incoming<T> {
    /// Without elements, and with room for `len` of them.
    list: Vec<T>,
    len: usize,
}

impl<T: Shareable> Place for Incoming<T> {
    #[inline]
    fn room(&mut self, bytes: usize) -> Option<&mut [MaybeUninit<u8>]> {
        let len = bytes / size_of::<T>();
        if len * size_of::<T>() != bytes {
            return None;
        }
        self.list.try_reserve(len).ok()?;
        self.len = len;
        let first = self.list.spare_capacity_mut().as_mut_ptr().cast();
        // SAFETY: the vector has room for `len` elements, borrowed exclusively for as long. A
        // `MaybeUninit<u8>` may have any content, and needs no alignment.
        Some(unsafe { slice::from_raw_parts_mut(first, bytes) })
    }
}

/// As [`Message::receive`] does, into a list whose memory is used again. After an error, it is
/// empty.
pub(in crate::channel) fn receive_list<T: Shareable>(
    list: &mut Vec<T>,
    fill: impl FnOnce(&mut Incoming<T>) -> Result<()>,
    invalid: impl FnOnce() -> Error,
) -> Result<()> {
    list.clear();
    let mut incoming = Incoming { list: std::mem::take(list), len: 0 };
    let filled = fill(&mut incoming);
    *list = incoming.list;
    filled?;
    let bytes = list.spare_capacity_mut()[..incoming.len].as_ptr().cast();
    // SAFETY: `fill` has initialised the bytes of so many elements.
    let bytes: &[u8] = unsafe { slice::from_raw_parts(bytes, incoming.len * size_of::<T>()) };
    if !T::ALWAYS_VALID && !bytes.chunks_exact(size_of::<T>()).all(T::valid) {
        return Err(invalid());
    }
    // SAFETY: there is room for so many elements, and their bytes are values of the type.
    unsafe { list.set_len(incoming.len) };
    Ok(())
}

/// Calls `with` with the type of the largest message of `M`: a list has at most `length` elements.
pub(in crate::channel) fn with_type<M: Message + ?Sized, R>(
    length: u64,
    with: impl FnOnce(ValueType<'_>) -> R,
) -> R {
    let element = ValueType::Layout(M::Element::LAYOUT);
    if M::MAX_LEN == 0 { with(element) } else { with(ValueType::Array(&element, length)) }
}

/// Refuses an object whose messages are lists, if `M` is one value, and the other way round.
pub(in crate::channel) fn check_item_length<M: Message + ?Sized>(found: u64) -> Result<()> {
    let why = match (M::MAX_LEN, found) {
        (0, 0) | (1.., 1..) => return Ok(()),
        (0, _) => format!(
            "each message is one value here, and a list of up to {found} elements in the object"
        ),
        (_, 0) => "each message is a list here, and one value in the object".into(),
    };
    Err(Error::new(ErrorKind::WrongType, why))
}

/// Refuses a length for which an object of lists has no room.
#[inline(always)]
pub(in crate::channel) fn check_len(len: usize, most: u64) -> Result<()> {
    if len as u64 <= most { Ok(()) } else { Err(too_long(len, most)) }
}

#[cold]
fn too_long(len: usize, most: u64) -> Error {
    let why = format!(
        "the message has {len} elements, and at most {most} are allowed: split it, or create the \
         object for longer ones"
    );
    Error::new(ErrorKind::InvalidArgument, why)
}

mod sealed {
    use crate::shareable::Shareable;

    pub trait Sealed {}

    impl<T: Shareable> Sealed for T {}
    impl<T: Shareable> Sealed for [T] {}
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[derive(shmkit_derive::Shareable, Debug, PartialEq)]
    #[repr(C)]
    struct Padded {
        flag: bool,
        number: u32,
    }

    fn received<M: Message + ?Sized>(bytes: &[u8]) -> Result<M::Owned> {
        let fill = |place: &mut M::Place| {
            let room = place.room(bytes.len()).ok_or_else(invalid)?;
            room.iter_mut().zip(bytes).for_each(|(to, from)| _ = to.write(*from));
            Ok(())
        };
        M::receive(fill, invalid)
    }

    fn invalid() -> Error {
        Error::new(ErrorKind::Corrupt, "invalid")
    }

    #[test]
    fn a_message_is_received_as_it_was_sent() {
        let mut room = Vec::new();
        let value = Padded { flag: true, number: 7 };
        assert_eq!(received::<Padded>(value.bytes(&mut room)).unwrap(), value);
        for length in 0..4 {
            let list: Vec<_> = (0..length).map(|number| Padded { flag: true, number }).collect();
            assert_eq!(received::<[Padded]>(list[..].bytes(&mut room)).unwrap(), list);
            let numbers: Vec<_> = (0..length).collect();
            assert_eq!(received::<[u32]>(numbers[..].bytes(&mut room)).unwrap(), numbers);
        }
    }

    #[test]
    fn padding_is_sent_as_zeros() {
        let list = [Padded { flag: true, number: 1 }, Padded { flag: false, number: 2 }];
        let mut room = vec![0xee; 40];
        assert_eq!(list[..].bytes(&mut room), [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(list[0].bytes(&mut room), [1, 0, 0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn bytes_that_are_no_values_are_refused() {
        let mut list = vec![true; 9];
        let fill = |place: &mut Incoming<bool>| {
            place.room(2).unwrap().copy_from_slice(&[1, 2].map(MaybeUninit::new));
            Ok(())
        };
        assert_eq!(receive_list(&mut list, fill, invalid).unwrap_err().kind(), ErrorKind::Corrupt);
        assert!(list.is_empty() && list.capacity() >= 9);
        assert!(received::<[u32]>(&[0; 6]).is_err(), "not a whole number of elements");
        assert!(received::<u32>(&[0; 5]).is_err());
        assert!(received::<bool>(&[2]).is_err());
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_with_both_numbers() {
        check_len(4, 4).unwrap();
        let error = check_len(5, 4).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("5 elements, and at most 4"), "{error}");
    }
}
