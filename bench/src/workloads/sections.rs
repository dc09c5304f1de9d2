//! Work inside of a section: a chain of instructions, each of which waits for the one before.

use std::hint::black_box;

/// The length of the chain in a long section: about a microsecond.
pub(crate) const LONG_STEPS: u64 = 500;
/// How long that takes, in nanoseconds.
pub(crate) const LONG_NS: u64 = 700;

/// Runs a long section.
pub(crate) fn run_long_section() {
    run(LONG_STEPS);
}

/// Returns how many steps take about as many nanoseconds.
pub(crate) fn steps_of(ns: usize) -> u64 {
    ns as u64 * LONG_STEPS / LONG_NS
}

pub(crate) fn run(steps: u64) {
    let mut number = black_box(1_u64);
    for _ in 0..steps {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
    }
    black_box(number);
}
