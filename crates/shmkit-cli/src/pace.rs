//! Doing something at a steady pace.

use std::time::{Duration, Instant};

/// Moments that lie `every` apart, counted from the first: no delay adds up.
pub(crate) struct Pace {
    next: Instant,
    every: Duration,
}

impl Pace {
    /// The first moment is now. `every` is more than zero.
    pub(crate) fn new(every: Duration) -> Self {
        Self { next: Instant::now(), every }
    }

    /// The next moment. Those that went by meanwhile are left out, none is made up for in a hurry.
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
    fn moments_are_on_the_grid_and_those_that_went_by_are_left_out() {
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
