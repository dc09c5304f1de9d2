//! The sizes of the values, known at compile time and chosen at run time.

use std::ops::{Deref, DerefMut};

/// The sizes of values, in bytes: those of `by_size`.
pub(crate) const SIZES: [usize; 6] = [8, 64, 1_024, 4_096, 65_536, 1_048_576];
/// The size of the largest value, in words.
pub(crate) const MAX_WORDS: usize = SIZES[SIZES.len() - 1] / 8;
/// Values of up to this many bytes are passed by value, larger ones by reference.
pub(crate) const BY_VALUE_BYTES: usize = 256;
// A call by value does not compile for a large type: suites name the small ones, of 1 and 8 words.
const _: () = assert!(SIZES[1] == 64 && SIZES[1] <= BY_VALUE_BYTES && BY_VALUE_BYTES < SIZES[2]);

/// The instances of a function that is generic over the words of a value, one for each size.
macro_rules! by_size {
    ($function:ident) => {
        [
            $function::<1>,
            $function::<8>,
            $function::<128>,
            $function::<512>,
            $function::<8_192>,
            $function::<131_072>,
        ]
    };
}
pub(crate) use by_size;

/// Returns the instance for values of `bytes` bytes.
pub(crate) fn for_size<F>(bytes: usize, functions: [F; SIZES.len()]) -> F {
    let mut sized = SIZES.into_iter().zip(functions);
    let found = sized.find_map(|(size, function)| (size == bytes).then_some(function));
    found.unwrap_or_else(|| panic!("no value has {bytes} bytes: the sizes are {SIZES:?}"))
}

/// A value of `N` words that begins a cache line, so that figures do not depend on where the
/// allocator places it.
#[repr(align(64))]
pub(crate) struct Value<const N: usize>([u64; N]);

impl<const N: usize> Value<N> {
    /// Returns zeroes on the heap: 1 MiB is too much for the stack.
    pub(crate) fn boxed() -> Box<Self> {
        // SAFETY: zeroes are a valid array of words.
        unsafe { Box::<Self>::new_zeroed().assume_init() }
    }
}

impl<const N: usize> Deref for Value<N> {
    type Target = [u64; N];

    fn deref(&self) -> &[u64; N] {
        &self.0
    }
}

impl<const N: usize> DerefMut for Value<N> {
    fn deref_mut(&mut self) -> &mut [u64; N] {
        &mut self.0
    }
}

/// Returns how many rounds take about a millisecond, if one takes `base_ns` and `byte_ns` for each
/// byte; at least 8.
pub(crate) fn rounds(bytes: usize, base_ns: f64, byte_ns: f64) -> u64 {
    (1_000_000.0 / (base_ns + bytes as f64 * byte_ns)).max(8.0) as u64
}
