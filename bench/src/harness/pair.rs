//! Two sets of workers that are measured alternately: the floor, and the subject beside it.

use super::samples::Samples;
use super::workers::{Harness, Workers};

/// A subject and its floor.
pub(crate) struct Pair<'a> {
    /// `None` where the subject is the floor itself.
    floor: Option<Workers<'a>>,
    pub(crate) subject: Workers<'a>,
}

impl<'a> Pair<'a> {
    /// Starts both. `None` where one of them is not available.
    pub(crate) fn start(
        harness: &'a Harness,
        floor: &str,
        subject: &str,
        argument: usize,
        cpus: &[usize],
    ) -> Option<Self> {
        let floor = match floor == subject {
            true => None,
            false => Some(Workers::start(harness, 0, floor, argument, cpus)?),
        };
        Some(Self { floor, subject: Workers::start(harness, 1, subject, argument, cpus)? })
    }

    /// Calls `prepare` for both.
    pub(crate) fn each(&self, prepare: impl Fn(&Workers<'a>)) {
        self.floor.iter().for_each(&prepare);
        prepare(&self.subject);
    }

    pub(crate) fn sample(&self, measure: impl Fn(&Workers<'_>) -> f64) -> Samples {
        match &self.floor {
            Some(floor) => Samples::beside(|| measure(floor), || measure(&self.subject)),
            None => Samples::alone(|| measure(&self.subject)),
        }
    }
}
