//! Words beside the tested objects, by which workers check mutual exclusion without any lock.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use shmkit::memory::{FileMapping, Region};

/// The worker that holds the only permit of the first semaphore.
pub(super) const ONLY_PERMIT: usize = 0;
/// The workers that hold a permit of the second semaphore.
pub(super) const PERMITS: Range<usize> = 1..4;
/// The worker whose `call_once` runs.
pub(super) const CALL_ONCE: usize = 4;
/// The numbers of the objects in use: each can be used once, and is then replaced.
pub(super) const ONCE_NUMBER: usize = 5;
pub(super) const LATCH_NUMBER: usize = 6;
/// How many deaths the workers noticed.
pub(super) const DEATHS: usize = 7;
/// From here on a word for each worker, by its number: whether it is about to be killed.
const DOOMED: usize = 16;

pub(super) struct Monitor(Region);

impl Monitor {
    /// For workers with numbers below `workers`.
    pub(super) fn create(directory: &Path, workers: usize) -> Self {
        let size = 8 * (DOOMED + workers) as u64;
        Self(FileMapping::create(directory.join("monitor"), size).unwrap().map().unwrap())
    }

    pub(super) fn open(directory: &Path) -> Self {
        Self(FileMapping::open(directory.join("monitor")).unwrap().map().unwrap())
    }

    fn word(&self, number: usize) -> &AtomicU64 {
        &self.0.words(8 * number, 1).unwrap()[0]
    }

    /// Records that a worker is about to be killed.
    pub(super) fn mark_doomed(&self, worker: u64) {
        // ORDERING: SeqCst; pairs with the load in `is_doomed`.
        self.word(DOOMED + worker as usize).store(1, Ordering::SeqCst);
    }

    fn is_doomed(&self, worker: u64) -> bool {
        // ORDERING: SeqCst; pairs with the store in `mark_doomed`.
        self.word(DOOMED + worker as usize).load(Ordering::SeqCst) != 0
    }

    /// Checks that the worker that was found where only one may be, if any, is about to be killed.
    #[track_caller]
    pub(super) fn assert_doomed(&self, found: u64) {
        assert!(found == 0 || self.is_doomed(found), "worker {found} is inside, and lives");
    }

    /// Enters a section that one worker may be in at a time.
    #[track_caller]
    pub(super) fn enter(&self, section: usize, worker: u64) {
        // ORDERING: SeqCst; all workers see all changes of all words in one order.
        self.assert_doomed(self.word(section).swap(worker, Ordering::SeqCst));
    }

    #[track_caller]
    pub(super) fn leave(&self, section: usize, worker: u64) {
        // ORDERING: SeqCst; as in `enter`.
        let found = self.word(section).swap(0, Ordering::SeqCst);
        assert_eq!(found, worker, "another worker has entered");
    }

    /// Enters one of the sections for holders of a permit, of which one must be free.
    #[track_caller]
    pub(super) fn enter_with_permit(&self, worker: u64) -> usize {
        for _ in 0..10_000 {
            for section in PERMITS {
                let found = self.get(section);
                let is_free = found == 0 || self.is_doomed(found);
                if is_free && self.exchange(section, found, worker) {
                    return section;
                }
            }
            std::thread::yield_now();
        }
        panic!("more than {} living workers hold a permit", PERMITS.len());
    }

    #[track_caller]
    pub(super) fn leave_with_permit(&self, section: usize, worker: u64) {
        // Another worker may have replaced one that is doomed and still lives.
        let left = self.exchange(section, worker, 0);
        assert!(left || self.is_doomed(worker), "another worker has entered");
    }

    pub(super) fn get(&self, number: usize) -> u64 {
        // ORDERING: SeqCst; as in `enter`.
        self.word(number).load(Ordering::SeqCst)
    }

    pub(super) fn count(&self, number: usize) {
        // ORDERING: Relaxed; only printed.
        self.word(number).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn exchange(&self, number: usize, from: u64, to: u64) -> bool {
        // ORDERING: SeqCst; as in `enter`.
        self.word(number).compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}
