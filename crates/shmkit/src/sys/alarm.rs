//! A word of this process on which a thread that waits for many words sleeps as well.
//!
//! Whatever changes no word of an object, and must be looked at, rings the alarm: a death notice, a
//! change of the list of words. A waiter loads the count of the alarm, looks, and sleeps if the
//! count is still the same. A ring changes the count before it wakes. So if the ring comes before
//! the load, the look that follows sees what happened; if it comes later, the waiter does not sleep
//! or is woken.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU64, Ordering};

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};

use super::wait;

/// One ring: above the bits that are marks in other words.
const RING: u64 = 4;

/// A count of rings, with the threads that sleep until the next one.
#[derive(Debug)]
pub(crate) struct Alarm(AtomicU64);

impl Default for Alarm {
    fn default() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl Alarm {
    /// Returns the count of rings.
    pub(crate) fn count(&self) -> u64 {
        // ORDERING: SeqCst; as Acquire it pairs with the addition in `ring`.
        self.0.load(Ordering::SeqCst)
    }

    /// The word to sleep on.
    pub(crate) fn word(&self) -> &AtomicU64 {
        &self.0
    }

    /// Wakes the threads that sleep on the word.
    pub(crate) fn ring(&self) {
        // ORDERING: SeqCst; as Release it pairs with the load in `count`: what happened is seen.
        let had = self.0.fetch_add(RING, Ordering::SeqCst);
        wait::wake_all(&self.0, had);
    }
}
