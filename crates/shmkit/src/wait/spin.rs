//! How long to spin before sleeping: each open handle learns it.

use crate::memory::atomic::{AtomicU64, Ordering};

/// How many waits begin with a long spin after a spin that was long enough.
const LONG_SPINS: u32 = 4;
/// After these, one wait in this many begins with a long spin, to notice when spinning pays again.
const LONG_SPIN_EVERY: u32 = 2_048;
/// Up to this number, the other waits begin with a short spin. From then on, spinning is known not
/// to pay: the other side is slow, or waits for this very processor.
const SHORT_SPINS: u32 = 64;
/// The most looks in a short spin: enough for an answer from a process that is spinning too.
const SHORT_LOOKS: u32 = 32;

/// How many looks a spin has, with a pause before each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Looks {
    /// The most looks in a long spin.
    most: u32,
    /// The looks in a long spin beyond twice the average number that was needed.
    slack: u32,
    /// The looks in a spin once spinning is known not to pay.
    rest: u32,
}

impl Looks {
    /// For a lock: as long as a critical section lasts, and at most a few microseconds, which is
    /// less than sleeping and waking costs. A lock is released again and again, so a few looks can
    /// always succeed.
    pub(super) const FOR_LOCK: Self = Self { most: 128, slack: 8, rest: 8 };
    /// For what another process answers: about 50 microseconds, which is what sleeping and being
    /// woken costs both sides. It is longer than the other side takes to wake up, so two processes
    /// that answer each other stay awake once one of them was woken.
    pub(super) const FOR_ANSWER: Self = Self { most: 2_000, slack: 2_000, rest: 0 };
    /// For a handle that sleeps at once.
    pub(super) const NONE: Self = Self { most: 0, slack: 0, rest: 0 };
}

/// How many looks a waiter takes before it sleeps: many while they pay, then few, then hardly any.
///
/// The average number of looks that were needed is learnt as in the adaptive mutexes of glibc
/// (`pthread_mutex_lock.c`); here a spin that was not long enough makes it smaller.
#[derive(Debug)]
pub(super) struct AdaptiveSpin {
    looks: &'static Looks,
    /// From bit 32: the average. Below: how many spins in a row were not long enough.
    learnt: AtomicU64,
}

impl AdaptiveSpin {
    pub(super) fn new(looks: &'static Looks) -> Self {
        Self { looks, learnt: AtomicU64::new((LONG_SPINS - 1).into()) }
    }

    /// Returns how many looks the next spin has.
    #[inline]
    pub(super) fn looks(&self) -> u32 {
        if cfg!(loom) {
            return 0;
        }
        // ORDERING: Relaxed; a guess.
        let learnt = self.learnt.load(Ordering::Relaxed);
        let (average, in_vain) = ((learnt >> 32) as u32, learnt as u32);
        let long = (2 * average + self.looks.slack).min(self.looks.most);
        match in_vain {
            few if few < LONG_SPINS => long,
            many if many.is_multiple_of(LONG_SPIN_EVERY) => long,
            some if some < SHORT_SPINS => long.min(SHORT_LOOKS),
            _ => self.looks.rest,
        }
    }

    /// Learns how many looks were needed; `None`: more than there were.
    #[inline]
    pub(super) fn learn(&self, needed: Option<u32>) {
        if cfg!(loom) {
            return;
        }
        // ORDERING: Relaxed; a guess, and it may overwrite another thread's.
        let learnt = self.learnt.load(Ordering::Relaxed);
        let (average, in_vain) = ((learnt >> 32) as u32, learnt as u32);
        let looks = needed.unwrap_or(0);
        let average = match looks.checked_sub(average) {
            Some(more) => average + more.div_ceil(8),
            None => average - (average - looks).div_ceil(8),
        };
        let in_vain = if needed.is_some() { 0 } else { in_vain.wrapping_add(1) };
        // ORDERING: Relaxed; as above.
        self.learnt.store(u64::from(average) << 32 | u64::from(in_vain), Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn spins_for_an_answer_are_long_while_they_pay_then_short_then_rare() {
        let spin = AdaptiveSpin::new(&Looks::FOR_ANSWER);
        spin.learn(Some(3));
        for wait in 0..2 * LONG_SPIN_EVERY {
            let expected = match wait {
                0..LONG_SPINS | LONG_SPIN_EVERY => Looks::FOR_ANSWER.most,
                LONG_SPINS..SHORT_SPINS => SHORT_LOOKS,
                _ => 0,
            };
            assert_eq!(spin.looks(), expected, "{wait}");
            spin.learn(None);
        }
        spin.learn(Some(1));
        assert_eq!(spin.looks(), Looks::FOR_ANSWER.most);
    }

    #[test]
    fn spins_for_a_lock_are_as_long_as_was_needed_and_never_none() {
        let spin = AdaptiveSpin::new(&Looks::FOR_LOCK);
        (0..100).for_each(|_| spin.learn(Some(6)));
        assert_eq!(spin.looks(), 2 * 6 + 8);
        (0..100).for_each(|_| spin.learn(Some(1_000)));
        assert_eq!(spin.looks(), 128);
        for _ in 0..10_000 {
            spin.learn(None);
            assert!((8..=128).contains(&spin.looks()));
        }
        assert_eq!(spin.looks(), 8);
    }
}
