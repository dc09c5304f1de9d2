//! Notices in a model, which announces events itself.

use std::path::Path;
use std::sync::Arc;

use loom::sync::atomic::fence;

use super::bell::{Bell, Ordering};
use super::obstacle::Obstacle;
use super::processes::Processes;
use crate::sys::fork::OwnedFile;

/// While notices are armed, only a notice causes a check.
pub(crate) const ANNOUNCES_EVERY_DEATH: bool = true;
/// They are armed because a waiter has waited.
pub(crate) const ARM_AT_SLEEP: u64 = 17;

/// Arms notices at any time.
#[derive(Debug)]
pub(super) struct Arming;

impl Arming {
    pub(super) fn new(_file: &OwnedFile, _path: &Arc<Path>) -> Self {
        Self
    }

    pub(super) fn turn_off(&self) {}

    pub(super) fn is_possible(&self, bell: &Bell) -> bool {
        bell.armed_since_ms().is_none()
    }

    pub(super) fn arm(&self, bell: &Arc<Bell>, _processes: &dyn Processes) -> bool {
        bell.arm();
        // ORDERING: SeqCst; the kernel's locks order its events and the start of a watch.
        fence(Ordering::SeqCst);
        true
    }

    pub(super) fn end(&mut self, _bell: &Arc<Bell>) {}
}

/// Returns `None`: notices can always be armed.
pub(crate) fn find_obstacle(_directory: &Path) -> Option<Obstacle> {
    None
}

/// Returns `None`, as above.
pub(crate) fn find_obstacle_of(_processes: &dyn Processes) -> Option<Obstacle> {
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
