//! Notices in a model, which rings itself.

use core::sync::atomic::Ordering;
use std::path::Path;
use std::time::Instant;

use loom::sync::atomic::{AtomicBool, AtomicU64, fence};

use super::Obstacle;
use super::sleepers::{Ring, Sleepers};
use crate::sys::fork::OwnedFile;
use crate::sys::wait::WaitOutcome;

/// The death notices of one open object.
#[derive(Debug)]
pub(crate) struct Notices {
    sleepers: Sleepers,
    is_armed: AtomicBool,
}

impl Notices {
    /// Notices that are not armed yet.
    pub(crate) fn in_model() -> Self {
        Self { sleepers: Sleepers::default(), is_armed: AtomicBool::new(false) }
    }

    pub(crate) fn new(_file: &OwnedFile, _path: &Path) -> Self {
        Self::in_model()
    }

    /// Announces an event, if the file is watched, and rings until no waiter is left that was
    /// asleep before.
    pub(crate) fn announce(&self) {
        // ORDERING: SeqCst; the kernel's locks order its events and the start of a watch.
        fence(Ordering::SeqCst);
        if self.are_armed() {
            self.sleepers.announce();
            self.sleepers.ring(Ring::One);
            while self.sleepers.ring(Ring::All) {
                loom::thread::yield_now();
            }
        }
    }

    pub(crate) fn turn_off(&self) {}

    pub(crate) fn news(&self) -> u64 {
        self.sleepers.news()
    }

    pub(crate) fn armed_since_ms(&self) -> Option<u64> {
        self.are_armed().then_some(0)
    }

    fn are_armed(&self) -> bool {
        self.is_armed.load(Ordering::SeqCst)
    }

    pub(crate) fn can_be_armed(&self) -> bool {
        !self.are_armed()
    }

    pub(crate) fn count_sleep(&self) -> u64 {
        0
    }

    pub(crate) fn arm(&self) -> bool {
        self.is_armed.store(true, Ordering::SeqCst);
        // ORDERING: SeqCst; as in `announce`.
        fence(Ordering::SeqCst);
        true
    }

    pub(crate) fn sleep(
        &self,
        word: &AtomicU64,
        expected: u64,
        until: Option<Instant>,
        seen: u64,
    ) -> WaitOutcome {
        self.sleepers.sleep(word, expected, until, seen)
    }
}

/// Returns `None`: notices can always be armed in a model.
pub(crate) fn obstacle(_directory: &Path) -> Option<Obstacle> {
    None
}
