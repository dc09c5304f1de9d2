//! Where the words and the slots of a `Latest` are in its payload.

use core::fmt;
use core::marker::PhantomData;

use crate::object::LINE;

pub(crate) const WORD: usize = size_of::<u64>();

/// `flags`: several writers take turns; none keeps the right for as long as it lives.
pub(crate) const FLAG_SHARED_WRITERS: u32 = 1 << 16;

/// `flags`: the object is on a disk, and its values prove themselves whole: see `proof`.
pub(crate) const FLAG_PROVED: u32 = 1 << 17;

/// `flags`: the time at which each value was set is recorded.
pub(crate) const FLAG_TIMES: u32 = 1 << 18;

/// The largest value, in bytes, of which several can be addressed.
pub(crate) const MAX_VALUE_BYTES: usize = isize::MAX as usize / 8;

/// How many slots keep an older value, on a disk. They follow the others.
pub(crate) const KEPT: usize = 2;

/// Where the words of a `Latest` are in the payload.
pub(crate) const LATEST: usize = 0;
pub(crate) const BEGUN: usize = 8;
/// On a disk: when a value was last kept.
pub(crate) const KEPT_AT: usize = 16;
pub(crate) const OWNER: usize = 128;
pub(crate) const SLOTS: usize = 256;

/// How large the slots for a value are, and how many there are.
///
/// | value, bytes | slots | from slot to slot, bytes |
/// |---|---|---|
/// | to 56 | 64 | the next power of two from value + 8 |
/// | to 64 | 64 | 72, which is in two lines at any alignment |
/// | to 120 | 32 | 128 |
/// | to 4,096 | 16 | a multiple of 64 |
/// | to 262,144 | 8 | a multiple of 64 |
/// | above | 4 | a multiple of 64 |
///
/// The counts are the smallest powers of two with which a writer that never pauses overtakes a
/// reader on another processor less than once in a thousand reads. More slots would need more
/// cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Bytes of a value.
    pub(super) value_bytes: usize,
    /// Words from one slot to the next.
    pub(super) stride_words: usize,
    /// How many values are kept, the newest included.
    pub(super) slots: usize,
}

impl Geometry {
    /// The geometry for a value of `value_bytes`; `None` if that is too large to be addressed.
    pub(crate) const fn of(value_bytes: usize) -> Option<Self> {
        if value_bytes > MAX_VALUE_BYTES {
            return None;
        }
        let least = value_bytes.next_multiple_of(WORD) + WORD;
        let (slots, stride) = match least {
            0..=64 => (64, least.next_power_of_two()),
            65..=72 => (64, least),
            73..=128 => (32, 128),
            129..=4_104 => (16, least.next_multiple_of(64)),
            4_105..=262_152 => (8, least.next_multiple_of(64)),
            _ => (4, least.next_multiple_of(64)),
        };
        Some(Self { value_bytes, stride_words: stride / WORD, slots })
    }

    /// Bytes from one slot to the next.
    pub(crate) const fn stride_bytes(self) -> usize {
        self.stride_words * WORD
    }

    /// Words of all slots together.
    pub(crate) const fn words(self) -> usize {
        self.slots * self.stride_words
    }

    /// Where the checks are in the payload, on a disk.
    pub(crate) const fn checks_offset(self) -> usize {
        let slots = self.all_slots(FLAG_PROVED);
        SLOTS + (slots * self.stride_bytes()).next_multiple_of(LINE as usize)
    }

    /// How many slots there are with these flags: as many as checks and times, if there are any.
    pub(crate) const fn all_slots(self, flags: u32) -> usize {
        self.slots + if flags & FLAG_PROVED != 0 { KEPT } else { 0 }
    }

    /// Where the times are in the payload, with these flags.
    pub(crate) const fn times_offset(self, flags: u32) -> usize {
        let slots = self.all_slots(flags);
        match flags & FLAG_PROVED {
            0 => SLOTS + (slots * self.stride_bytes()).next_multiple_of(LINE as usize),
            _ => self.checks_offset() + (slots * WORD).next_multiple_of(LINE as usize),
        }
    }

    /// How many words the payload has, with these flags.
    pub(crate) const fn payload_words(self, flags: u32) -> usize {
        let slots = self.all_slots(flags);
        match flags & (FLAG_PROVED | FLAG_TIMES) {
            0 => SLOTS / WORD + self.words(),
            FLAG_PROVED => self.checks_offset() / WORD + slots,
            _ => self.times_offset(flags) / WORD + slots,
        }
    }

    pub(crate) const fn value_words(self) -> usize {
        self.value_bytes.div_ceil(WORD)
    }
}

/// What knows a geometry: a variable, or a type, with which every index is a constant.
pub(crate) trait HasGeometry: Copy {
    fn geometry(self) -> Geometry;
}

impl HasGeometry for Geometry {
    #[inline(always)]
    fn geometry(self) -> Geometry {
        self
    }
}

/// The geometry for values of a type, as a constant.
///
/// INVARIANT: it is used only with handles whose object was compared with the type.
pub(crate) struct TypeGeometry<T>(PhantomData<fn() -> T>);

impl<T> TypeGeometry<T> {
    /// The geometry for values of the type.
    pub(crate) const GEOMETRY: Geometry =
        Geometry::of(size_of::<T>()).expect("a value this large cannot be addressed");

    /// # Safety
    /// It is used only with the words of an object whose values have the type's size.
    #[allow(unsafe_code, reason = "indices are not compared with the object again")]
    pub(crate) const unsafe fn compared() -> Self {
        Self(PhantomData)
    }
}

impl<T> fmt::Debug for TypeGeometry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::any::type_name::<T>())
    }
}

impl<T> Clone for TypeGeometry<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for TypeGeometry<T> {}

impl<T> HasGeometry for TypeGeometry<T> {
    #[inline(always)]
    fn geometry(self) -> Geometry {
        Self::GEOMETRY
    }
}
