//! Looking at intervals, where the system cannot let a thread sleep on several words.

use core::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crate::sys::wait::{self, Kind, WaitOutcome};

/// The time between the first looks, and between the later ones of a wait.
const INTERVALS: [Duration; 2] = [Duration::from_micros(100), Duration::from_millis(5)];

/// Sleeps on the first word only, for a time that becomes longer.
#[derive(Debug)]
pub(crate) struct Slices {
    next: Duration,
}

impl Slices {
    pub(super) const fn new() -> Self {
        Self { next: INTERVALS[0] }
    }

    /// Sleeps until the first word changes, or until it is time to look at the others.
    pub(super) fn wait(
        &mut self,
        words: &[(&AtomicU64, u64)],
        until: Option<Instant>,
    ) -> WaitOutcome {
        let Some(&(word, expected)) = words.first() else { return WaitOutcome::Changed };
        let next = Instant::now() + self.next;
        self.next = (2 * self.next).min(INTERVALS[1]);
        let (end, is_last) = match until {
            Some(until) if until <= next => (until, true),
            _ => (next, false),
        };
        match wait::wait(word, expected, Some(end), Kind::Only) {
            // Another look.
            WaitOutcome::TimedOut if !is_last => WaitOutcome::Woken,
            outcome => outcome,
        }
    }
}

/// How many words a thread sleeps on at most.
#[cfg(not(target_os = "linux"))]
pub(crate) const MOST: usize = 1 << 20;

/// Sleeps on many words, by looks at intervals.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct Many(Slices);

#[cfg(not(target_os = "linux"))]
impl Many {
    pub(crate) fn new() -> Self {
        Self(Slices::new())
    }

    /// Sleeps while the low half of each word equals that of its value, until woken or until
    /// `until`. A wake of any but the first word is found after 5 ms.
    pub(crate) fn wait(
        &mut self,
        words: &[(&AtomicU64, u64)],
        until: Option<Instant>,
    ) -> WaitOutcome {
        self.0.wait(words, until)
    }
}
