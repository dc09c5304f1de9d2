//! Values of a size that the compiler knows, chosen by one that it does not.

/// The sizes of values, in bytes.
pub(crate) const SIZES: [usize; 6] = [8, 64, 1_024, 4_096, 65_536, 1_048_576];
/// Up to here a value is passed by value; above, by reference.
pub(crate) const BY_VALUE: usize = 256;

/// Something to do with values of `N` words.
pub(crate) trait WithWords {
    type Output;

    fn run<const N: usize>(self) -> Self::Output;
}

/// Does it with values of `bytes` bytes.
pub(crate) fn with_words<W: WithWords>(bytes: usize, what: W) -> W::Output {
    match bytes {
        8 => what.run::<1>(),
        64 => what.run::<8>(),
        1_024 => what.run::<128>(),
        4_096 => what.run::<512>(),
        65_536 => what.run::<8_192>(),
        1_048_576 => what.run::<131_072>(),
        other => panic!("no case has values of {other} bytes"),
    }
}

/// A value on the heap: 1 MiB is too much for the stack.
pub(crate) fn boxed<const N: usize>() -> Box<[u64; N]> {
    vec![0; N].into_boxed_slice().try_into().expect("as many words")
}

/// How many rounds take about a millisecond, if a byte takes `per_byte` nanoseconds.
pub(crate) fn rounds(bytes: usize, each: f64, per_byte: f64) -> u64 {
    (1_000_000.0 / (each + bytes as f64 * per_byte)).max(8.0) as u64
}
