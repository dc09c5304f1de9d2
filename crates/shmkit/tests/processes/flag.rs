//! A flag by which one thread of a test stops the others.

use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    pub(crate) fn set(&self) {
        // ORDERING: Relaxed; no data depends on the flag, and a thread may see it late.
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        // ORDERING: Relaxed; as in `set`.
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the flag when the result is dropped, also by a panic, so that a failed test ends its
    /// threads.
    pub(crate) fn set_on_drop(&self) -> SetOnDrop<'_> {
        SetOnDrop(self)
    }
}

pub(crate) struct SetOnDrop<'a>(&'a Flag);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.set();
    }
}
