//! A value that shows whether it is whole, and who is changing it.

use std::hint::black_box;
use std::time::Duration;

use shmkit::Shareable;
use shmkit::sync::{Guard, LockError, LockResult};

/// Waiting for so long is a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Three numbers that are the same whenever nobody is changing them.
#[derive(Shareable, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Ledger {
    /// Who is changing them; 0: nobody.
    pub(crate) holder: u64,
    pub(crate) counts: [u64; 3],
}

impl Ledger {
    pub(crate) fn is_whole(&self) -> bool {
        self.holder == 0 && self.counts.iter().all(|count| *count == self.counts[0])
    }

    #[track_caller]
    pub(crate) fn check(&self) {
        assert!(self.is_whole(), "half-changed, and nobody said so: {self:?}");
    }

    /// The first half of a change.
    pub(crate) fn begin(&mut self, who: u64) {
        self.holder = who;
        black_box(&mut *self).counts[0] += 1;
        black_box(&mut *self).counts[1] += 1;
    }

    /// The second half.
    #[track_caller]
    pub(crate) fn finish(&mut self, who: u64) {
        black_box(&mut *self).counts[2] += 1;
        assert_eq!(black_box(&mut *self).holder, who, "two had it");
        self.holder = 0;
    }

    /// Puts right what a dead one left.
    pub(crate) fn mend(&mut self) {
        let most = self.counts.into_iter().max().unwrap();
        *self = Self { holder: 0, counts: [most; 3] };
    }
}

/// The guard, and whether it came with the news of a death.
#[track_caller]
pub(crate) fn told<G: Guard>(answer: LockResult<G>) -> (G, bool) {
    match answer {
        Ok(guard) => (guard, false),
        Err(LockError::OwnerDied(guard)) => (guard, true),
        Err(error) => panic!("{error}"),
    }
}
