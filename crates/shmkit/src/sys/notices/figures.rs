//! A figure for tests: without their feature nothing is counted.

#[cfg(all(feature = "crash-points", not(loom)))]
use core::sync::atomic::{AtomicU64, Ordering};

#[cfg(all(feature = "crash-points", not(loom)))]
static ANNOUNCEMENTS: AtomicU64 = AtomicU64::new(0);

/// Counts a piece of news.
#[cfg(all(feature = "crash-points", not(loom)))]
pub(super) fn count_announcement() {
    // ORDERING: Relaxed; a figure for tests.
    ANNOUNCEMENTS.fetch_add(1, Ordering::Relaxed);
}

/// Does nothing.
#[cfg(not(all(feature = "crash-points", not(loom))))]
pub(super) fn count_announcement() {}

/// Returns how many pieces of news there were in this process.
#[cfg(all(feature = "crash-points", not(loom)))]
pub(crate) fn announcements() -> u64 {
    // ORDERING: Relaxed; as above.
    ANNOUNCEMENTS.load(Ordering::Relaxed)
}
