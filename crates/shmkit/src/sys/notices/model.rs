//! Notices in a model, which announces events itself.

use std::path::Path;
use std::sync::Arc;

use loom::sync::atomic::fence;

use super::bell::{Bell, Ordering};
use super::obstacle::Obstacle;
use crate::sys::fork::OwnedFile;

/// Arms notices at any time.
#[derive(Debug)]
pub(super) struct Arming;

impl Arming {
    pub(super) fn new(_file: &OwnedFile, _path: &Arc<Path>) -> Self {
        Self
    }

    pub(super) fn turn_off(&self) {}

    pub(super) fn is_possible(&self) -> bool {
        true
    }

    pub(super) fn arm(&self, bell: &Arc<Bell>) {
        bell.arm();
        // ORDERING: SeqCst; the kernel's locks order its events and the start of a watch.
        fence(Ordering::SeqCst);
    }

    pub(super) fn end(&mut self, _bell: &Arc<Bell>) {}
}

/// Returns `None`: notices can always be armed.
pub(crate) fn find_obstacle(_directory: &Path) -> Option<Obstacle> {
    None
}

#[cfg(test)]
impl super::Notices {
    /// Notices that are not armed yet.
    pub(crate) fn in_model() -> Self {
        Self::with(Arming)
    }

    /// Announces an event, if they are armed, and rings until no waiter is left that was asleep
    /// before.
    pub(crate) fn announce(&self) {
        use super::bell::Ring;

        // ORDERING: SeqCst; as in `arm`.
        fence(Ordering::SeqCst);
        if self.armed_since_ms().is_some() {
            self.bell.announce();
            self.bell.ring(Ring::One);
            while self.bell.ring(Ring::All) {
                loom::thread::yield_now();
            }
        }
    }
}
