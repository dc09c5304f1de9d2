//! What a subscriber and its samples share.

use std::sync::Arc;

use super::geometry::SAMPLES_EACH;
use super::handle::Handle;
use crate::error::{ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::object::Membership;

/// A subscriber's right to borrow, as long as it or one of its samples lives.
#[derive(Debug)]
pub(super) struct Borrower {
    handle: Arc<Handle>,
    // Dropped after its record ends, see `drop`.
    membership: Arc<Membership>,
    /// A bit for each sample that is in use.
    used: AtomicU64,
}

impl Borrower {
    pub(super) fn new(handle: &Arc<Handle>, membership: &Arc<Membership>) -> Self {
        handle.ring(handle.shape).begin_borrowing(membership.me());
        let (handle, membership, used) = (handle.clone(), membership.clone(), AtomicU64::new(0));
        Self { handle, membership, used }
    }

    /// The slot in whose record the samples are.
    pub(super) fn slot(&self) -> u32 {
        self.membership.me().slot()
    }

    /// The number of a sample that is not in use, which is in use then.
    pub(super) fn take(&self) -> Result<usize> {
        // ORDERING: Acquire; pairs with the Release in `give_back`: the record's word is stored by
        // the next user of the sample after it was stored by the last one.
        let used = self.used.load(Ordering::Acquire);
        let sample = used.trailing_ones() as usize;
        if sample >= SAMPLES_EACH {
            let why = format!(
                "this subscriber holds {SAMPLES_EACH} samples, the most that it can: drop one"
            );
            let error = self.membership.error(ErrorKind::Full, "receive from", why);
            return Err(error);
        }
        // ORDERING: Relaxed; only the subscriber takes samples.
        self.used.fetch_or(1 << sample, Ordering::Relaxed);
        Ok(sample)
    }

    /// Returns a sample.
    pub(super) fn give_back(&self, sample: usize) {
        if self.membership.is_mine() {
            self.handle.ring(self.handle.shape).return_sample(self.membership.me().slot(), sample);
        }
        // ORDERING: Release; pairs with the Acquire in `take`.
        self.used.fetch_and(!(1 << sample), Ordering::Release);
    }
}

impl Drop for Borrower {
    fn drop(&mut self) {
        if self.membership.is_mine() {
            self.handle.ring(self.handle.shape).end_borrowing(self.membership.me());
        }
    }
}
