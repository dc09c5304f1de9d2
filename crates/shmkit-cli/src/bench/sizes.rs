//! The sizes of messages. The types of shmkit have sizes that are known at compile time.

/// The sizes that can be measured, in bytes.
pub(super) const SIZES: [usize; 9] =
    [8, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// How many of them are small enough to be returned by value without effort: up to 1 KiB.
const SMALL: usize = 4;
/// How many of them the library lets a program return by value.
pub(super) const BY_VALUE: usize = 7;

/// The sizes that are measured if the command line says nothing.
pub(super) const DEFAULT: &str = "8,64,1K,4K,16K,64K,1M";

const _: () = assert!(SIZES[SMALL - 1] == 1 << 10 && SIZES[BY_VALUE - 1] == 64 << 10);

/// The instances of two functions that are generic over the words of a message, one for each size:
/// of the first one for small sizes, of the second one for the others.
macro_rules! by_size {
    ($small:ident, $large:ident) => {
        [
            $small::<1>,
            $small::<8>,
            $small::<32>,
            $small::<128>,
            $large::<512>,
            $large::<2_048>,
            $large::<8_192>,
            $large::<32_768>,
            $large::<131_072>,
        ]
    };
}

/// The instances of a function for the sizes that the library returns by value.
macro_rules! by_value_size {
    ($function:ident) => {
        [
            $function::<1>,
            $function::<8>,
            $function::<32>,
            $function::<128>,
            $function::<512>,
            $function::<2_048>,
            $function::<8_192>,
        ]
    };
}
pub(super) use {by_size, by_value_size};

/// Returns the instance for messages of this size, if there is one.
pub(super) fn for_size<F: Copy>(size: usize, functions: &[F]) -> Option<F> {
    SIZES.iter().zip(functions).find_map(|(it, function)| (*it == size).then_some(*function))
}
