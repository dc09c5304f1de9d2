//! Locking and waiting: what is measured, and beside what.
//!
//! Whoever is compared has one of these traits, and a line in `work`, where its hands begin; the
//! suites say beside which floor it stands.

pub(crate) mod contend;
pub(crate) mod idle;
pub(crate) mod lock;
mod subject;
pub(crate) mod takeover;
pub(crate) mod turns;
mod work;

use crate::crew::{Crew, Job};
use crate::ground::Ground;
use crate::report::Samples;

pub(crate) use work::work;

/// A counter under a lock.
pub(crate) trait Lock {
    /// Locks, adds one, does `section`, unlocks.
    fn add(&self, section: impl FnOnce());
}

/// A counter under a lock for readers and writers.
pub(crate) trait ReadWrite {
    /// Locks for reading, reads, unlocks.
    fn read(&self) -> u64;
    /// Locks for writing, adds one, unlocks.
    fn write(&self);
}

/// Two sides, 0 and 1, that wait for each other.
pub(crate) trait Turns {
    /// Lets the side `to` go on.
    fn give(&self, to: usize);
    /// Waits until the side `own`, which is the caller's, may go on.
    fn take(&self, own: usize);
}

/// Two crews that take turns.
struct Pair<'a> {
    /// None where the subject is the floor itself.
    floor: Option<Crew<'a>>,
    subject: Crew<'a>,
}

impl<'a> Pair<'a> {
    /// `None` where one of them cannot be had here.
    fn start(ground: &'a Ground, floor: Job, subject: Job, cpus: &[usize]) -> Option<Self> {
        let floor = match floor == subject {
            true => None,
            false => Some(Crew::start(ground, 0, floor, cpus)?),
        };
        Some(Self { floor, subject: Crew::start(ground, 1, subject, cpus)? })
    }

    fn sample(&mut self, measure: impl Fn(&mut Crew<'_>) -> f64) -> Samples {
        let Self { floor, subject } = self;
        match floor {
            Some(floor) => Samples::beside(|| measure(floor), || measure(subject)),
            None => Samples::alone(|| measure(subject)),
        }
    }
}
