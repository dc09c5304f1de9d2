//! `CLOCK_MONOTONIC`.

use rustix::time::{ClockId, clock_gettime};

/// Returns the microseconds of the monotonic clock. Processes in another time namespace read other
/// ones.
pub(crate) fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000
}
