//! How long to wait.

use std::time::{Duration, Instant};

/// How long to wait, on the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Not at all.
    Now,
    /// Up to a moment.
    Deadline(Instant),
    /// As long as it takes.
    Ever,
}

impl Until {
    /// Waits for `timeout` from now on: forever, if that is more than the clock can count.
    pub(crate) fn after(timeout: Duration) -> Self {
        Instant::now().checked_add(timeout).map_or(Self::Ever, Self::Deadline)
    }

    /// Returns whether the time is over at `now`.
    pub(crate) fn is_over(self, now: Instant) -> bool {
        match self {
            Self::Now => true,
            Self::Deadline(deadline) => deadline <= now,
            Self::Ever => false,
        }
    }

    /// Returns the earlier of the deadline and `other`.
    pub(crate) fn or_before(self, other: Instant) -> Instant {
        match self {
            Self::Deadline(deadline) => deadline.min(other),
            Self::Now | Self::Ever => other,
        }
    }
}
