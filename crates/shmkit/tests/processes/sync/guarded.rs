//! Values that locks guard, and that show whether a critical section was interrupted.

use std::hint::black_box;

use shmkit::Shareable;
use shmkit::sync::{Guard, LockError, LockResult};

/// Three counts that are equal whenever no participant is changing them.
#[derive(Shareable, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Counts {
    /// The number of the process or thread that is changing the counts, or 0.
    pub(crate) changing: u64,
    counts: [u64; 3],
}

impl Counts {
    pub(crate) fn is_whole(&self) -> bool {
        self.changing == 0 && self.counts.iter().all(|count| *count == self.counts[0])
    }

    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        assert!(self.is_whole(), "half-changed, but no owner death was reported: {self:?}");
    }

    /// The first half of a change.
    pub(crate) fn begin_change(&mut self, id: u64) {
        self.changing = id;
        black_box(&mut *self).counts[0] += 1;
        black_box(&mut *self).counts[1] += 1;
    }

    /// The second half of a change.
    #[track_caller]
    pub(crate) fn finish_change(&mut self, id: u64) {
        black_box(&mut *self).counts[2] += 1;
        assert_eq!(black_box(&mut *self).changing, id, "two were in the critical section");
        self.changing = 0;
    }

    /// Completes a change that a dead process has begun.
    pub(crate) fn repair(&mut self) {
        let max = self.counts.into_iter().max().unwrap();
        *self = Self { changing: 0, counts: [max; 3] };
    }
}

/// A buffer with room for one item, for producers and consumers.
#[derive(Shareable, Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Buffer {
    pub(crate) full: u64,
    pub(crate) put: u64,
    pub(crate) taken: u64,
    /// Whether the item in it is the last one of a test.
    pub(crate) is_last: bool,
}

impl Buffer {
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        assert_eq!(self.put, self.taken + self.full, "{self:?}");
    }
}

/// The guard, and whether the previous owner died with the lock.
#[track_caller]
pub(crate) fn guard_and_death<G: Guard>(answer: LockResult<G>) -> (G, bool) {
    match answer {
        Ok(guard) => (guard, false),
        Err(LockError::OwnerDied(guard)) => (guard, true),
        Err(error) => panic!("{error}"),
    }
}
