//! What workers tell each other besides, to find out whether somebody is where he must not be.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use shmkit::memory::{FileMapping, Region};

/// Words: who has the only permit, and who each of the three.
pub(super) const ONLY: usize = 0;
pub(super) const SEATS: Range<usize> = 1..4;
/// Who does what is done once.
pub(super) const DOING: usize = 4;
/// Which numbers the objects have that are of use once.
pub(super) const ONCE: usize = 5;
pub(super) const LATCH: usize = 6;
/// How many deaths there were with something that another found.
pub(super) const NEWS: usize = 7;
/// Then a word for each worker, who have numbers from 1 on: whether it is doomed.
const DOOMED: usize = 16;

/// Words that everybody changes without any lock.
pub(super) struct Board(Region);

impl Board {
    /// For so many workers.
    pub(super) fn create(directory: &Path, workers: usize) -> Self {
        let size = 8 * (DOOMED + workers) as u64;
        Self(FileMapping::create(directory.join("board"), size).unwrap().map().unwrap())
    }

    pub(super) fn open(directory: &Path) -> Self {
        Self(FileMapping::open(directory.join("board")).unwrap().map().unwrap())
    }

    pub(super) fn word(&self, number: usize) -> &AtomicU64 {
        &self.0.words(8 * number, 1).unwrap()[0]
    }

    /// Says that a worker is about to be killed.
    pub(super) fn doom(&self, who: u64) {
        // ORDERING: SeqCst; before the kill.
        self.word(DOOMED + who as usize).store(1, Ordering::SeqCst);
    }

    pub(super) fn is_doomed(&self, who: u64) -> bool {
        // ORDERING: SeqCst; pairs with the store in `doom`.
        self.word(DOOMED + who as usize).load(Ordering::SeqCst) != 0
    }

    /// Fails unless whoever was in before was to be killed.
    #[track_caller]
    pub(super) fn excuse(&self, before: u64) {
        assert!(before == 0 || self.is_doomed(before), "{before} is in, too, and lives");
    }

    /// Enters where one can be at a time.
    #[track_caller]
    pub(super) fn enter(&self, number: usize, who: u64) {
        // ORDERING: SeqCst; so that it is as if all happened one after the other.
        self.excuse(self.word(number).swap(who, Ordering::SeqCst));
    }

    #[track_caller]
    pub(super) fn leave(&self, number: usize, who: u64) {
        // ORDERING: SeqCst; as above.
        let found = self.word(number).swap(0, Ordering::SeqCst);
        assert_eq!(found, who, "another came in");
    }

    /// Takes one of the seats, which there must be.
    #[track_caller]
    pub(super) fn sit_down(&self, who: u64) -> usize {
        for _ in 0..10_000 {
            for seat in SEATS {
                // ORDERING: SeqCst; as above.
                let sits = self.word(seat).load(Ordering::SeqCst);
                let free = sits == 0 || self.is_doomed(sits);
                if free && self.exchange(seat, sits, who) {
                    return seat;
                }
            }
            std::thread::yield_now();
        }
        panic!("more than {} sit, and live", SEATS.len());
    }

    pub(super) fn stand_up(&self, seat: usize, who: u64) {
        // Who is doomed and still lives may have had its seat taken.
        assert!(self.exchange(seat, who, 0) || self.is_doomed(who), "another took the seat");
    }

    pub(super) fn number(&self, of: usize) -> u64 {
        // ORDERING: SeqCst; as above.
        self.word(of).load(Ordering::SeqCst)
    }

    pub(super) fn count(&self, number: usize) {
        // ORDERING: Relaxed; a figure.
        self.word(number).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn exchange(&self, number: usize, from: u64, to: u64) -> bool {
        // ORDERING: SeqCst; as above.
        self.word(number).compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}
