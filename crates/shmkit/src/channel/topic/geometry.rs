//! Where the words, the records and the entries of a `Topic` are in its payload.
//!
//! ```text
//! 0          128                       128 + 128 * participants
//! | tail ..  | record | record | ..    | stamp, value | stamp, value | ..
//!                                      | stamp, length, elements | ..          for lists
//! ```
//!
//! Messages of more than 4 KiB are in buffers, and an entry has the number of one:
//!
//! ```text
//! .. | stamp, buffer | ..                   | owner, owner, ..  | buffer | buffer | ..
//!    | stamp, length, buffer | ..  for lists
//! ```

use core::fmt;
use core::marker::PhantomData;

use crate::channel::message::Message;
use crate::object::{LINE, LINE_WORDS};

const WORD: usize = size_of::<u64>();

/// `flags`: a message for which there is no room is dropped.
pub(crate) const FLAG_DROP_NEW: u32 = 1 << 16;
/// `flags`: a message for which there is no room overwrites the oldest one.
pub(crate) const FLAG_OVERWRITE: u32 = 1 << 17;
/// `flags`: how many buffers there are besides one for each entry; 0: the default.
pub(crate) const FLAG_SPARE: u32 = 0x3ff << 18;
/// How many buffers there are besides one for each entry, unless the options say another number.
pub(crate) const DEFAULT_SPARE: u32 = 8;

/// The words of the first line, by their index.
pub(crate) const TAIL: usize = 0;
pub(crate) const CHANGES: usize = 1;
pub(crate) const USED: usize = 2;
pub(crate) const DROPPED: usize = 3;
/// The words of a record, by their index.
pub(crate) const CURSOR: usize = 0;
pub(crate) const SUBSCRIBED: usize = 1;
pub(crate) const LOST: usize = 2;
pub(crate) const PUBLISHING: usize = 3;
pub(crate) const CLAIMING: usize = 4;
pub(crate) const BORROWER: usize = 5;
pub(crate) const SAMPLES: usize = 6;
/// How many samples a subscriber can have at a time. A model has only what it needs.
pub(crate) const SAMPLES_EACH: usize = if cfg!(loom) { 1 } else { 8 };

/// Where the records are in the payload.
pub(crate) const RECORDS: u64 = LINE;
/// The words of a record. A model has only those in use.
pub(crate) const RECORD_WORDS: usize = if cfg!(loom) { SAMPLES + SAMPLES_EACH } else { LINE_WORDS };
const _: () = assert!(SAMPLES + SAMPLES_EACH <= RECORD_WORDS);

/// Messages with more bytes than this are in buffers. Those of a model are small.
pub(crate) const INLINE_BYTES: usize = if cfg!(loom) { 16 } else { 4 << 10 };
/// The most entries of a ring.
pub(crate) const MAX_DEPTH: u32 = 1 << 20;
/// The largest value, in bytes, of which several can be addressed.
const MAX_VALUE_BYTES: usize = isize::MAX as usize / 8;
/// How many bytes the ring takes, unless the options say another depth.
const RING_BYTES: usize = 256 << 10;
/// How many entries it then has, at least and at most.
const DEPTHS: [usize; 2] = [4, 256];

/// How large the entries for a message are.
///
/// | stamp, length of a list, and value, bytes | from entry to entry, bytes |
/// |---|---|
/// | to 64 | the next power of two |
/// | to 72 | 72: a value of 64 is in two lines at any alignment |
/// | to 128 | 128 |
/// | above | a multiple of 64 |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Bytes of a value, or of the longest list.
    pub(super) value_bytes: usize,
    /// Words from one entry to the next.
    pub(super) stride_words: usize,
    /// Bytes of an element of a list; 0 where each message is one value.
    pub(super) element_bytes: usize,
}

impl Shape {
    /// The shape for a value of `value_bytes`; `None` if that is too large to be addressed.
    pub(crate) const fn of(value_bytes: usize) -> Option<Self> {
        Self::new(value_bytes, 0)
    }

    /// The shape for lists of up to `length` elements of `element_bytes`; `None` if there are no
    /// such lists, or if they are too large to be addressed.
    pub(crate) fn of_lists(element_bytes: u64, length: u64) -> Option<Self> {
        let bytes = element_bytes.checked_mul(length).filter(|bytes| *bytes > 0)?;
        Self::new(usize::try_from(bytes).ok()?, usize::try_from(element_bytes).ok()?)
    }

    const fn new(value_bytes: usize, element_bytes: usize) -> Option<Self> {
        if value_bytes > MAX_VALUE_BYTES {
            return None;
        }
        let words = if element_bytes > 0 { 2 } else { 1 };
        let in_entry = if value_bytes > INLINE_BYTES { WORD } else { value_bytes };
        let least = in_entry.next_multiple_of(WORD) + words * WORD;
        let stride = match least {
            0..=64 => least.next_power_of_two(),
            65..=72 => least,
            73..=128 => 128,
            _ => least.next_multiple_of(64),
        };
        Some(Self { value_bytes, stride_words: stride / WORD, element_bytes })
    }

    /// How many entries a ring has, unless the options say another number.
    pub(crate) const fn default_depth(self) -> u32 {
        let buffer = if self.is_buffered() { self.buffer_words() * WORD } else { 0 };
        let fits = RING_BYTES / (self.stride_bytes() + buffer);
        let [least, most] = DEPTHS;
        let depth = if fits < least {
            least
        } else if fits > most {
            most
        } else {
            fits
        };
        1 << depth.ilog2()
    }

    /// Bytes from one entry to the next.
    pub(crate) const fn stride_bytes(self) -> usize {
        self.stride_words * WORD
    }

    /// Words from the stamp to the end of the value, or to the number of a buffer.
    pub(crate) const fn used_words(self) -> usize {
        self.value_at() + if self.is_buffered() { 1 } else { self.value_words() }
    }

    /// Words of a value.
    pub(crate) const fn value_words(self) -> usize {
        self.value_bytes.div_ceil(WORD)
    }

    /// Whether messages are in buffers.
    #[inline(always)]
    pub(crate) const fn is_buffered(self) -> bool {
        self.value_bytes > INLINE_BYTES
    }

    /// Words from one buffer to the next: each begins at a multiple of 128 bytes, and has room for
    /// the padding that it may need.
    pub(crate) const fn buffer_words(self) -> usize {
        self.value_words().next_multiple_of(if cfg!(loom) { 1 } else { LINE_WORDS })
    }

    /// The index of the first word of the value, after the stamp and the length of a list.
    pub(crate) const fn value_at(self) -> usize {
        if self.is_list() { 2 } else { 1 }
    }

    /// Whether messages are lists.
    pub(crate) const fn is_list(self) -> bool {
        self.element_bytes > 0
    }

    /// How many elements the longest list has.
    pub(crate) const fn max_len(self) -> u64 {
        if self.is_list() { (self.value_bytes / self.element_bytes) as u64 } else { 1 }
    }

    /// How many bytes so many elements have; `None` if that is more than the longest list has.
    pub(crate) fn list_bytes(self, length: u64) -> Option<usize> {
        let bytes = usize::try_from(length).ok()?.checked_mul(self.element_bytes)?;
        (bytes <= self.value_bytes).then_some(bytes)
    }
}

/// How many buffers an object has, with this many entries and these flags.
pub(crate) const fn buffer_count(depth: u32, flags: u32) -> u32 {
    let spare = (flags & FLAG_SPARE) >> FLAG_SPARE.trailing_zeros();
    depth.saturating_add(if spare == 0 { DEFAULT_SPARE } else { spare })
}

/// Where the entries are, in words from the beginning of the payload.
pub(crate) const fn entries_at(participants: usize) -> usize {
    RECORDS as usize / WORD + participants * RECORD_WORDS
}

/// Where the owners of buffers are, in words from the beginning of the payload.
pub(crate) const fn owners_at(participants: usize, depth: u32, shape: Shape) -> usize {
    let entries = (depth as usize).saturating_mul(shape.stride_words);
    entries_at(participants).saturating_add(entries).saturating_add(LINE_WORDS - 1) / LINE_WORDS
        * LINE_WORDS
}

/// Where the buffers are, in words from the beginning of the payload.
pub(crate) const fn buffers_at(
    participants: usize,
    depth: u32,
    buffers: usize,
    shape: Shape,
) -> usize {
    owners_at(participants, depth, shape).saturating_add(buffers.next_multiple_of(LINE_WORDS))
}

/// What knows a shape: a variable, or a type, with which offsets are constants.
pub(crate) trait HasShape: Copy {
    fn shape(self) -> Shape;
}

impl HasShape for Shape {
    #[inline(always)]
    fn shape(self) -> Shape {
        self
    }
}

/// The shape for messages of a type: a constant, except for the length of lists.
///
/// INVARIANT: it is used only with handles whose object was compared with the type.
pub(crate) struct TypeShape<M: ?Sized> {
    /// The shape for lists.
    lists: Shape,
    message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> TypeShape<M> {
    /// Bytes of an element of a list; 0 where each message is one value.
    const ELEMENT_BYTES: usize = if M::MAX_LEN == 0 { 0 } else { size_of::<M::Element>() };

    /// The shape for one value of the type.
    const ONE: Shape =
        Shape::of(size_of::<M::Element>()).expect("a value this large cannot be addressed");

    /// The shape of an object whose items have this length; `None` if there is no such object.
    pub(crate) fn of_length(item_length: u64) -> Option<Shape> {
        match M::MAX_LEN {
            0 => Some(Self::ONE),
            _ => Shape::of_lists(size_of::<M::Element>() as u64, item_length),
        }
    }

    /// # Safety
    /// It is used only with the words of an object whose messages have the type, and this shape.
    #[allow(unsafe_code, reason = "indices are not compared with the object again")]
    pub(crate) const unsafe fn compared(lists: Shape) -> Self {
        Self { lists, message: PhantomData }
    }
}

impl<M: ?Sized> fmt::Debug for TypeShape<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::any::type_name::<M>())
    }
}

impl<M: ?Sized> Clone for TypeShape<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: ?Sized> Copy for TypeShape<M> {}

impl<M: Message + ?Sized> HasShape for TypeShape<M> {
    #[inline(always)]
    fn shape(self) -> Shape {
        match M::MAX_LEN {
            0 => Self::ONE,
            _ => Shape { element_bytes: Self::ELEMENT_BYTES, ..self.lists },
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn entries_are_as_large_and_as_many_as_the_documents_say() {
        for (value, stride, depth) in [
            (0, 8, 256),
            (8, 16, 256),
            (56, 64, 256),
            (64, 72, 256),
            (65, 128, 256),
            (120, 128, 256),
            (121, 192, 256),
            (1_024, 1_088, 128),
            (4_096, 4_160, 32),
            (4_097, 16, 32),
            (65_536, 16, 4),
            (1 << 20, 16, 4),
        ] {
            let shape = Shape::of(value).unwrap();
            assert_eq!((shape.stride_bytes(), shape.default_depth()), (stride, depth), "{value}");
        }
        assert_eq!(Shape::of(usize::MAX), None);
        for (element, length, stride) in
            [(1, 1, 32), (1, 48, 64), (8, 7, 72), (2, 56, 128), (4, 1_000, 4_032)]
        {
            let shape = Shape::of_lists(element, length).unwrap();
            assert_eq!(shape.stride_bytes(), stride, "{length} of {element}");
            assert_eq!(shape.list_bytes(length), Some((element * length) as usize));
            assert_eq!(shape.list_bytes(length + 1), None);
            assert_eq!(shape.list_bytes(u64::MAX), None);
        }
        assert_eq!(Shape::of_lists(8, 0), None);
        assert_eq!(Shape::of_lists(8, u64::MAX), None);
    }
}
