//! Where the words, the records and the entries of a `Topic` are in its payload.
//!
//! ```text
//! 0          128                       128 + 128 * participants
//! | tail ..  | record | record | ..    | stamp, value | stamp, value | ..
//! ```

use core::fmt;
use core::marker::PhantomData;

use crate::object::{LINE, LINE_WORDS};

const WORD: usize = size_of::<u64>();

/// `flags`: a message for which there is no room is dropped.
pub(crate) const FLAG_DROP_NEW: u32 = 1 << 16;
/// `flags`: a message for which there is no room overwrites the oldest one.
pub(crate) const FLAG_OVERWRITE: u32 = 1 << 17;

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

/// Where the records are in the payload.
pub(crate) const RECORDS: u64 = LINE;
/// The words of a record. A model has only those in use.
pub(crate) const RECORD_WORDS: usize = if cfg!(loom) { CLAIMING + 1 } else { LINE_WORDS };

/// The most entries of a ring.
pub(crate) const MAX_DEPTH: u32 = 1 << 20;
/// The largest value, in bytes, of which several can be addressed.
const MAX_VALUE_BYTES: usize = isize::MAX as usize / 8;
/// How many bytes the ring takes, unless the options say another depth.
const RING_BYTES: usize = 256 << 10;
/// How many entries it then has, at least and at most.
const DEPTHS: [usize; 2] = [4, 256];

/// How large the entries for a value are.
///
/// | value, bytes | from entry to entry, bytes |
/// |---|---|
/// | to 56 | the next power of two from value + 8 |
/// | to 64 | 72, which is in two lines at any alignment |
/// | to 120 | 128 |
/// | above | a multiple of 64 |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Bytes of a value.
    pub(super) value_bytes: usize,
    /// Words from one entry to the next.
    pub(super) stride_words: usize,
}

impl Shape {
    /// The shape for a value of `value_bytes`; `None` if that is too large to be addressed.
    pub(crate) const fn of(value_bytes: usize) -> Option<Self> {
        if value_bytes > MAX_VALUE_BYTES {
            return None;
        }
        let least = value_bytes.next_multiple_of(WORD) + WORD;
        let stride = match least {
            0..=64 => least.next_power_of_two(),
            65..=72 => least,
            73..=128 => 128,
            _ => least.next_multiple_of(64),
        };
        Some(Self { value_bytes, stride_words: stride / WORD })
    }

    /// How many entries a ring has, unless the options say another number.
    pub(crate) const fn default_depth(self) -> u32 {
        let fits = RING_BYTES / self.stride_bytes();
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

    pub(crate) const fn value_words(self) -> usize {
        self.value_bytes.div_ceil(WORD)
    }
}

/// Where the entries are, in words from the beginning of the payload.
pub(crate) const fn entries_at(participants: usize) -> usize {
    RECORDS as usize / WORD + participants * RECORD_WORDS
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

/// The shape for values of a type, as a constant.
///
/// INVARIANT: it is used only with handles whose object was compared with the type.
pub(crate) struct TypeShape<T>(PhantomData<fn() -> T>);

impl<T> TypeShape<T> {
    /// The shape for values of the type.
    pub(crate) const SHAPE: Shape =
        Shape::of(size_of::<T>()).expect("a value this large cannot be addressed");

    /// # Safety
    /// It is used only with the words of an object whose values have the type's size.
    #[allow(unsafe_code, reason = "indices are not compared with the object again")]
    pub(crate) const unsafe fn compared() -> Self {
        Self(PhantomData)
    }
}

impl<T> fmt::Debug for TypeShape<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::any::type_name::<T>())
    }
}

impl<T> Clone for TypeShape<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for TypeShape<T> {}

impl<T> HasShape for TypeShape<T> {
    #[inline(always)]
    fn shape(self) -> Shape {
        Self::SHAPE
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
            (65_536, 65_600, 4),
            (1 << 20, (1 << 20) + 64, 4),
        ] {
            let shape = Shape::of(value).unwrap();
            assert_eq!((shape.stride_bytes(), shape.default_depth()), (stride, depth), "{value}");
        }
        assert_eq!(Shape::of(usize::MAX), None);
    }
}
