//! Sleeping on many words in a model: see [`model`](crate::sys::wait::model).

use std::time::Instant;

use loom::sync::atomic::AtomicU64;

use crate::sys::wait::{Kind, WaitOutcome, model};

/// How many words a thread sleeps on at most.
pub(crate) const MOST: usize = 8;

/// Sleeps on many words.
pub(crate) struct Many;

impl Many {
    pub(crate) fn new() -> Self {
        Self
    }

    /// Sleeps while the low half of each word equals that of its value, until woken.
    pub(crate) fn wait(
        &mut self,
        words: &[(&AtomicU64, u64)],
        _until: Option<Instant>,
    ) -> WaitOutcome {
        model::wait_many(words, Kind::Only)
    }
}
