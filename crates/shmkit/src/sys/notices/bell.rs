//! The sleepers of one open object, and whether the ringer watches its file.

use core::sync::atomic::{AtomicBool, Ordering};

use super::sleepers::Sleepers;

/// What is rung for the waiters of one open object.
#[derive(Debug, Default)]
pub(super) struct Bell {
    pub(super) sleepers: Sleepers,
    /// Whether the ringer watches the file.
    is_armed: AtomicBool,
}

impl Bell {
    pub(super) fn is_armed(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release below: the watch exists.
        self.is_armed.load(Ordering::Acquire)
    }

    pub(super) fn arm(&self) {
        // ORDERING: Release; pairs with the Acquire above.
        self.is_armed.store(true, Ordering::Release);
    }

    pub(super) fn disarm(&self) {
        // ORDERING: Release; as in `arm`.
        self.is_armed.store(false, Ordering::Release);
    }
}
