//! When to read the clock, for code that runs too often to read it each time.
//!
//! A thread counts its uses, and reads the clock after some: after each one if they are rare, and
//! after 256 at most. So if frequent uses become rare, up to 256 of them still do not read it.

use std::cell::Cell;

use super::fork::ProcessStamp;
use super::process::unix_time_ns;

/// The most uses between two readings of the clock.
pub(crate) const MAX_USES: i32 = 256;
/// Uses are rare if reading the clock after each of them costs less than a thousandth of the time.
const RARE_NS: u64 = 100_000;

thread_local! {
    #[allow(clippy::missing_const_for_thread_local, reason = "clippy does not see it on Windows")]
    static USES: Uses = const { Uses::new() };
}

/// The uses of a thread until it reads the clock again.
struct Uses {
    left: Cell<i32>,
    /// How many were between the last two readings.
    between: Cell<i32>,
    read_ns: Cell<u64>,
}

impl Uses {
    /// The first use reads the clock.
    const fn new() -> Self {
        Self { left: Cell::new(1), between: Cell::new(1), read_ns: Cell::new(0) }
    }
}

/// Counts a use. If it is time to, reads the clock, for [`ProcessStamp::second`].
#[inline(always)]
pub(crate) fn count_use() {
    let left = USES.with(|uses| {
        // A signal handler may count uses of its own in between: then both may read the clock.
        let left = uses.left.get().wrapping_sub(1);
        uses.left.set(left);
        left
    });
    if left <= 0 {
        read_clock();
    }
}

/// Reads the clock, and decides after how many uses the thread does it again.
#[cold]
fn read_clock() {
    let now_ns = unix_time_ns();
    USES.with(|uses| {
        // A wrong difference, after the clock was set, costs a reading too early or too late.
        let since_ns = now_ns.wrapping_sub(uses.read_ns.replace(now_ns));
        let next = uses_until_next(uses.between.get(), since_ns);
        uses.between.set(next);
        uses.left.set(next);
    });
    ProcessStamp::set_second(now_ns / 1_000_000_000);
}

/// After how many uses the clock is read again, if so many uses took this time.
fn uses_until_next(between: i32, since_ns: u64) -> i32 {
    let is_rare = since_ns / u64::from(between.unsigned_abs()) >= RARE_NS;
    if is_rare { 1 } else { (between * 2).min(MAX_USES) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_uses_read_the_clock_ever_more_seldom_and_rare_uses_each_time() {
        let mut between = 1;
        for expected in [2, 4, 8, 16, 32, 64, 128, 256, 256] {
            between = uses_until_next(between, 99_999 * between as u64);
            assert_eq!(between, expected);
        }
        for between in [1, 2, 256] {
            assert_eq!(uses_until_next(between, 100_000 * between as u64), 1);
        }
    }
}
