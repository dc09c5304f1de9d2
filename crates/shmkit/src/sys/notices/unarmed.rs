//! No notices: waiters look at intervals.

use core::sync::atomic::AtomicU64;
use std::path::Path;
use std::time::Instant;

use super::Obstacle;
use crate::sys::fork::OwnedFile;
use crate::sys::wait::{self, WaitOutcome};

/// The death notices of one open object: never armed.
#[derive(Debug)]
pub(crate) struct Notices;

impl Notices {
    /// The notices of the object that has this file.
    pub(crate) fn new(_file: &OwnedFile, _path: &Path) -> Self {
        Self
    }

    /// Does nothing.
    pub(crate) fn turn_off(&self) {}

    /// Returns the count of news, which is always 0.
    pub(crate) fn news(&self) -> u64 {
        0
    }

    /// Returns `None`: no notice will come.
    pub(crate) fn armed_since_ms(&self) -> Option<u64> {
        None
    }

    /// Returns whether it is worthwhile to call [`arm`](Self::arm).
    pub(crate) fn can_be_armed(&self) -> bool {
        false
    }

    /// Returns 0.
    pub(crate) fn count_sleep(&self) -> u64 {
        0
    }

    /// Does nothing.
    pub(crate) fn arm(&self) -> bool {
        false
    }

    /// Sleeps on a word, at most until `until`.
    pub(crate) fn sleep(
        &self,
        word: &AtomicU64,
        expected: u64,
        until: Option<Instant>,
        _seen: u64,
    ) -> WaitOutcome {
        wait::wait(word, expected, until)
    }
}

/// Returns `None`: a person can do nothing about it.
pub(crate) fn obstacle(_directory: &Path) -> Option<Obstacle> {
    None
}
