//! The present second, for code that runs too often to read the clock each time.
//!
//! A thread counts its uses, and reads the clock after some: after each one if they are rare, and
//! after 256 at most. So if frequent uses become rare, up to 256 of them still do not read it.

use core::sync::atomic::{AtomicU64, Ordering};
use std::cell::Cell;

use super::process::unix_time_ns;

/// The most uses between two readings of the clock.
pub(crate) const MAX_USES: u32 = 256;
/// Uses are rare if reading the clock after each of them costs less than a thousandth of the time.
const RARE_NS: u64 = 100_000;

/// The second since 1970 in which a thread of this process last read the clock.
static SECOND: AtomicU64 = AtomicU64::new(0);

thread_local! {
    #[allow(clippy::missing_const_for_thread_local, reason = "clippy does not see it on Windows")]
    static USES: Uses = const { Uses::new() };
}

/// The uses of a thread until it reads the clock again.
struct Uses {
    left: Cell<u32>,
    /// How many were between the last two readings.
    between: Cell<u32>,
    read_ns: Cell<u64>,
}

impl Uses {
    /// The first use reads the clock.
    const fn new() -> Self {
        Self { left: Cell::new(1), between: Cell::new(1), read_ns: Cell::new(0) }
    }
}

/// Counts a use, and returns the second since 1970, as far as this process knows.
#[inline(always)]
pub(crate) fn second_of_use() -> u64 {
    let left = USES.with(|uses| {
        // A signal handler may use an object between these two steps.
        uses.left.set(uses.left.get().saturating_sub(1));
        uses.left.get()
    });
    if left == 0 {
        read_clock();
    }
    last_known_second()
}

/// Returns the second in which a thread of this process last read the clock.
#[inline(always)]
pub(crate) fn last_known_second() -> u64 {
    // ORDERING: Relaxed; only the time counts.
    SECOND.load(Ordering::Relaxed)
}

/// Reads the clock, and decides after how many uses the thread does it again.
#[cold]
fn read_clock() {
    let now_ns = unix_time_ns();
    USES.with(|uses| {
        // A wrong difference, after the clock was set, costs a reading too early or too late.
        let since_ns = now_ns.wrapping_sub(uses.read_ns.replace(now_ns));
        let between = uses.between.get();
        let is_rare = since_ns / u64::from(between) >= RARE_NS;
        let next = if is_rare { 1 } else { (between * 2).min(MAX_USES) };
        uses.between.set(next);
        uses.left.set(next);
    });
    // ORDERING: Relaxed; as above.
    SECOND.store(now_ns / 1_000_000_000, Ordering::Relaxed);
}
