//! How long to wait.

use std::time::{Duration, Instant};

/// How long to wait, on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// Not at all.
    Now,
    /// Up to then.
    Deadline(Instant),
    /// As long as it takes.
    Ever,
}

impl Until {
    /// So long from now; for ever, where that is more than the clock can count.
    pub(crate) fn after(timeout: Duration) -> Self {
        Instant::now().checked_add(timeout).map_or(Self::Ever, Self::Deadline)
    }

    pub(crate) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Deadline(deadline) => Some(deadline),
            Self::Now | Self::Ever => None,
        }
    }

    pub(crate) fn is_over(self, now: Instant) -> bool {
        match self {
            Self::Now => true,
            Self::Deadline(deadline) => deadline <= now,
            Self::Ever => false,
        }
    }

    /// The earlier of this and `other`.
    pub(crate) fn or_before(self, other: Instant) -> Instant {
        self.deadline().map_or(other, |deadline| deadline.min(other))
    }
}
