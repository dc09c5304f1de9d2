//! A steady pace.

use std::time::{Duration, Instant};

/// Moments at a constant distance from the first: delays do not add up.
pub(crate) struct Pace {
    next: Instant,
    every: Duration,
}

impl Pace {
    /// The first moment is now. `every` is longer than 0.
    pub(crate) fn new(every: Duration) -> Self {
        Self { next: Instant::now(), every }
    }

    /// Returns the next moment, and skips those that have passed already.
    pub(crate) fn next_moment(&mut self) -> Instant {
        let moment = self.next;
        let late = Instant::now().saturating_duration_since(moment);
        let passed = late.as_nanos() / self.every.as_nanos();
        let steps = u32::try_from(passed).unwrap_or(u32::MAX - 1) + 1;
        self.next = moment + self.every * steps;
        moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_moments_are_skipped_and_delays_do_not_add_up() {
        let every = Duration::from_millis(1);
        let mut pace = Pace::new(every);
        let first = pace.next_moment();
        let second = pace.next_moment();
        assert_eq!((second - first).as_nanos() % every.as_nanos(), 0);
        std::thread::sleep(every * 5);
        pace.next_moment();
        let after = pace.next_moment();
        assert!(after >= first + every * 5);
        assert_eq!((after - first).as_nanos() % every.as_nanos(), 0);
    }
}
