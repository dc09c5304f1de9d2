//! Samples of a subject, each between two samples of its floor.
//!
//! ```text
//! floor - subject - floor - subject - floor - ...
//! ```
//!
//! A virtual machine changes its speed within seconds. So the ratio of each sample is to the mean
//! of the floor right before and right after it.

use std::time::Instant;

/// How many samples of a subject are taken: odd, so that one is in the middle.
pub(crate) const SAMPLES: usize = 15;

/// The samples of a subject, of its floor, and the ratios.
pub(crate) struct Samples {
    pub(crate) values: Vec<f64>,
    pub(crate) floors: Vec<f64>,
    pub(crate) ratios: Vec<f64>,
}

impl Samples {
    /// Takes samples of `subject` and `floor` alternately, after one of each to warm up.
    pub(crate) fn beside(mut floor: impl FnMut() -> f64, mut subject: impl FnMut() -> f64) -> Self {
        let (mut before, _) = (floor(), subject());
        let mut samples = Self::of(Vec::new());
        for _ in 0..SAMPLES {
            let value = subject();
            let after = floor();
            samples.values.push(value);
            samples.floors.push(after);
            samples.ratios.push(2.0 * value / (before + after));
            before = after;
        }
        samples
    }

    /// Takes samples of `subject`, which is a floor itself or has none.
    pub(crate) fn alone(mut subject: impl FnMut() -> f64) -> Self {
        subject();
        Self::of((0..SAMPLES).map(|_| subject()).collect())
    }

    /// Returns how much the floor changed during the case, as a fraction: the median of its last
    /// third, compared with the median of its first third.
    pub(crate) fn floor_moved_by(&self) -> Option<f64> {
        let third = self.floors.len().div_ceil(3);
        let (first, last) = (&self.floors[..third], &self.floors[self.floors.len() - third..]);
        let (before, after) = (median(first)?, median(last)?);
        Some((after / before).max(before / after) - 1.0)
    }

    /// Wraps figures that were measured together with others, or counted once.
    pub(crate) fn of(values: Vec<f64>) -> Self {
        Self { values, floors: Vec::new(), ratios: Vec::new() }
    }
}

/// Returns the nanoseconds that each of `rounds` calls of `operation` takes.
pub(crate) fn time(rounds: u64, mut operation: impl FnMut()) -> f64 {
    let started = Instant::now();
    for _ in 0..rounds {
        operation();
    }
    started.elapsed().as_nanos() as f64 / rounds as f64
}

/// Returns the middle value, or `None` without values.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Returns the minimum and the maximum.
pub(crate) fn extremes(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(*value), max.max(*value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_that_is_faster_or_slower_afterwards_has_moved() {
        let moved = |floors: &[f64]| {
            let samples = Samples { floors: floors.to_vec(), ..Samples::of(vec![1.0]) };
            samples.floor_moved_by()
        };
        assert_eq!(moved(&[]), None);
        // A single slow sample says nothing.
        assert_eq!(moved(&[1.0, 9.0, 1.0, 1.0, 1.0, 1.0, 1.0]), Some(0.0));
        assert_eq!(moved(&[1.0, 1.0, 1.0, 1.0, 1.5, 1.5, 1.5]), Some(0.5));
        assert_eq!(moved(&[1.5, 1.5, 1.5, 1.0, 1.0, 1.0, 1.0]), Some(0.5));
    }
}
