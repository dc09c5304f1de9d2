//! The sleepers of one open object, and whether the ringer watches its file.

use core::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::sleepers::Sleepers;
use crate::sys::clock::process_ms;

/// What is rung for the waiters of one open object.
#[derive(Debug, Default)]
pub(super) struct Bell {
    pub(super) sleepers: Sleepers,
    /// Since when the ringer watches the file, in milliseconds of this process plus 1. 0: it does
    /// not.
    armed_ms: AtomicU64,
}

impl Bell {
    /// Returns since when the ringer watches the file, in milliseconds of this process.
    pub(super) fn armed_since_ms(&self) -> Option<u64> {
        // ORDERING: Acquire; pairs with the Release below: the watch exists.
        self.armed_ms.load(Ordering::Acquire).checked_sub(1)
    }

    pub(super) fn arm(&self) {
        // ORDERING: Release; pairs with the Acquire above.
        self.armed_ms.store(process_ms(Instant::now()) + 1, Ordering::Release);
    }

    pub(super) fn disarm(&self) {
        // ORDERING: Release; as in `arm`.
        self.armed_ms.store(0, Ordering::Release);
    }
}
