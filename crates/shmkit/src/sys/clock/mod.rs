//! A clock that all processes of the machine read alike, and one of this process.

use std::time::{Duration, Instant};

use super::fork::Once;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::monotonic_us;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::monotonic_us;

/// Returns the moment from which this process counts milliseconds.
fn start() -> Instant {
    static START: Once<Instant> = Once::new();
    *START.get_or_make(Instant::now)
}

/// Returns the milliseconds of this process at a moment.
pub(crate) fn process_ms(moment: Instant) -> u64 {
    moment.saturating_duration_since(start()).as_millis() as u64
}

/// Returns the moment that is so many milliseconds earlier, as far as there is one.
pub(crate) fn before(moment: Instant, ms: u64) -> Instant {
    moment.checked_sub(Duration::from_millis(ms)).unwrap_or(moment)
}
