//! How long to look before sleeping: learnt, by each handle for itself.

use crate::memory::atomic::{AtomicU64, Ordering, spin_loop};

/// The most looks before a sleep: a few microseconds, less than sleeping and waking costs.
const MAX: u64 = if cfg!(loom) { 0 } else { 128 };
/// So many looks are always tried, to notice when looking pays again.
const LEAST: u64 = if cfg!(loom) { 0 } else { 8 };

/// What a handle has learnt about how many looks it takes until a lock is free.
///
/// A moving average, as in the adaptive mutexes of glibc (`pthread_mutex_lock.c`); looks that were
/// in vain make it smaller here, since there they were a waste.
#[derive(Debug, Default)]
pub(crate) struct Spin(AtomicU64);

/// One who looks before sleeping.
#[derive(Debug)]
pub(crate) struct Spinning<'a> {
    spin: &'a Spin,
    done: u64,
    most: u64,
}

impl Spin {
    pub(crate) fn begin(&self) -> Spinning<'_> {
        if MAX == 0 {
            return Spinning { spin: self, done: 0, most: 0 };
        }
        // ORDERING: Relaxed; a guess.
        let most = (2 * self.0.load(Ordering::Relaxed) + LEAST).min(MAX);
        Spinning { spin: self, done: 0, most }
    }
}

impl Spinning<'_> {
    /// Pauses before one more look. False if it is time to sleep.
    #[inline]
    pub(crate) fn again(&mut self) -> bool {
        if self.done == self.most {
            return false;
        }
        self.done += 1;
        spin_loop();
        true
    }

    /// The waiting is over; whether looking was `enough`, or sleep was needed.
    pub(crate) fn end(self, enough: bool) {
        if MAX == 0 {
            return;
        }
        let looks = if enough { self.done } else { 0 };
        // ORDERING: Relaxed; a guess, and it may overwrite another's.
        let average = self.spin.0.load(Ordering::Relaxed);
        let average = match looks.checked_sub(average) {
            Some(more) => average + more.div_ceil(8),
            None => average - (average - looks).div_ceil(8),
        };
        // ORDERING: Relaxed; as above.
        self.spin.0.store(average, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn looks(spin: &Spin, pays_after: u64) -> u64 {
        let mut spinning = spin.begin();
        for look in 0.. {
            let enough = look == pays_after;
            if enough || !spinning.again() {
                spinning.end(enough);
                return look;
            }
        }
        unreachable!("bounded by `MAX`")
    }

    #[test]
    fn it_looks_longer_where_that_paid_and_hardly_where_it_did_not() {
        let spin = Spin::default();
        for _ in 0..100 {
            looks(&spin, 6);
        }
        assert!(looks(&spin, 40) >= 12);
        for _ in 0..100 {
            looks(&spin, u64::MAX);
        }
        assert_eq!(looks(&spin, u64::MAX), LEAST);
        for _ in 0..1_000 {
            looks(&spin, 7);
        }
        assert!(looks(&spin, u64::MAX) <= MAX);
    }
}
