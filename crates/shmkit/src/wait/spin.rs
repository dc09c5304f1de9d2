//! How long to spin before sleeping: each open handle learns it.
//!
//! A spin that finds something is followed by long spins. After four spins that found nothing,
//! spinning does not pay: the other side is slow, or waits for this very processor. From then on,
//! one wait in 64 begins with a *probe*. It spins for twice the average wait of this handle, which
//! includes the time asleep. So a probe costs little where waits are short, and two processes that
//! answer each other find out that they can stay awake.
//!
//! The average is computed as in the adaptive mutexes of glibc (`pthread_mutex_lock.c`).

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sys::fork::Once;
use crate::sys::process;

/// How many waits begin with a long spin after a spin that found something.
const LONG_SPINS: u32 = 4;
/// After these, one wait in this many begins with a probe, to notice when spinning pays again.
const PROBE_EVERY: u32 = 64;
/// The looks in a spin for a lock when spinning does not pay, and what a probe adds to twice the
/// average wait.
const FEW_LOOKS: u32 = 8;

/// The longest spin for a lock: as long as a critical section lasts, and less than sleeping and
/// waking costs.
const LOCK_US: u32 = 6;
/// What it costs both sides to sleep and to be woken, on a virtual machine.
const WAKING_US: u32 = 100;
/// The bytes that two processes copy in a microsecond, each in and out, on a slow machine.
const BYTES_PER_US: usize = 4_000;
/// The longest spin for an answer.
const MAX_US: u32 = 1_000;

/// What decides how long a spin may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// A lock is released again and again, so a few looks can always succeed. A sleep says nothing
    /// about the length of a section: there were many sections meanwhile.
    Lock,
    /// What another process answers. A spin is longer than the other side takes to wake up, to copy
    /// a value from its memory or to it, and to copy its answer. So two processes that answer each
    /// other stay awake once one of them was woken.
    Answer { most_us: u32 },
    /// The program decided it. `u32::MAX`: it never sleeps.
    Given { us: u32 },
}

impl Policy {
    /// For answers of `bytes` bytes.
    pub(super) fn for_answer(bytes: usize) -> Self {
        let copies_us = u32::try_from(bytes / BYTES_PER_US).unwrap_or(u32::MAX);
        Self::Answer { most_us: WAKING_US.saturating_add(copies_us).min(MAX_US) }
    }

    pub(super) fn given(spin_for: Duration) -> Self {
        Self::Given { us: u32::try_from(spin_for.as_micros()).unwrap_or(u32::MAX) }
    }
}

/// How many looks a waiter takes before it sleeps, with a pause before each.
#[derive(Debug)]
pub(super) struct AdaptiveSpin {
    policy: Policy,
    /// From bit 32: the average wait, in looks. Below: how many spins in a row found nothing.
    learnt: AtomicU64,
}

impl AdaptiveSpin {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, learnt: AtomicU64::new((LONG_SPINS - 1).into()) }
    }

    /// Returns how many looks the next spin has.
    #[inline]
    pub(super) fn looks(&self) -> u32 {
        if cfg!(loom) { 0 } else { self.looks_at(looks_per_us()) }
    }

    /// Returns the same for a machine on which a microsecond is enough for `per_us` looks.
    fn looks_at(&self, per_us: u32) -> u32 {
        let (most_us, is_lock) = match self.policy {
            Policy::Lock => (LOCK_US, true),
            Policy::Answer { most_us } => (most_us, false),
            Policy::Given { .. } => return 0,
        };
        let ((average, failed), most) = (self.learnt(), most_us.saturating_mul(per_us));
        let as_learnt = average.saturating_mul(2).saturating_add(FEW_LOOKS);
        let looks = match failed {
            few if few < LONG_SPINS && !is_lock => most,
            few if few < LONG_SPINS || few.is_multiple_of(PROBE_EVERY) => as_learnt,
            _ if is_lock => FEW_LOOKS,
            _ => 0,
        };
        looks.min(most)
    }

    /// Returns whether a thread that has waited for this time goes on spinning: the program decided
    /// how long it spins.
    pub(super) fn keeps_spinning(&self, waited: Duration) -> bool {
        match self.policy {
            Policy::Given { us } if looks_per_us() > 0 => {
                us == u32::MAX || waited.as_micros() < us.into()
            }
            _ => false,
        }
    }

    /// A spin found something after so many looks.
    #[inline]
    pub(super) fn learn_found(&self, looks: u32) {
        let (average, _) = self.learnt();
        self.store(moved_towards(looks, average), 0);
    }

    /// A spin found nothing.
    #[inline]
    pub(super) fn learn_failed(&self) {
        let (average, failed) = self.learnt();
        let average = match self.policy {
            Policy::Lock => moved_towards(0, average),
            _ => average,
        };
        self.store(average, failed.wrapping_add(1));
    }

    /// What was waited for came after the spin, which ended at this moment.
    pub(super) fn learn_wait_since(&self, spun: Instant) {
        if let Policy::Answer { most_us } = self.policy
            && !cfg!(loom)
        {
            self.learn_wait(spun.elapsed(), most_us);
        }
    }

    fn learn_wait(&self, waited: Duration, most_us: u32) {
        let (average, failed) = self.learnt();
        // A longer wait says no more than one that is just too long for a spin.
        let us = u32::try_from(waited.as_micros()).unwrap_or(u32::MAX).min(most_us);
        self.store(moved_towards(us * looks_per_us(), average), failed);
    }

    fn learnt(&self) -> (u32, u32) {
        // ORDERING: Relaxed; a guess.
        let learnt = self.learnt.load(Ordering::Relaxed);
        ((learnt >> 32) as u32, learnt as u32)
    }

    fn store(&self, average: u32, failed: u32) {
        // ORDERING: Relaxed; a guess, and it may overwrite another thread's.
        self.learnt.store(u64::from(average) << 32 | u64::from(failed), Ordering::Relaxed);
    }
}

/// Returns an average after one more value: moved by an eighth of the difference.
fn moved_towards(value: u32, average: u32) -> u32 {
    match value.checked_sub(average) {
        Some(more) => average + more.div_ceil(8),
        None => average - (average - value).div_ceil(8),
    }
}

/// Returns for how many looks a microsecond is enough on this machine: about as many as pauses of
/// the processor, which take 3 to 60 ns. None on a machine with one processor, where nothing can
/// change while a thread looks.
pub(super) fn looks_per_us() -> u32 {
    const PAUSES: u32 = 32;
    static LOOKS: Once<u32> = Once::new();
    *LOOKS.get_or_make(|| {
        if process::has_one_processor() {
            return 0;
        }
        let time = |_| {
            let begun = Instant::now();
            (0..PAUSES).for_each(|_| spin_loop());
            begun.elapsed()
        };
        // The least of some: the thread may be interrupted.
        let least_ns = (0..4).map(time).min().unwrap_or_default().as_nanos() as u32;
        (PAUSES * 1_000 / least_ns.max(1)).clamp(1, 1_000)
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const PER_US: u32 = 20;

    #[test]
    fn spins_for_an_answer_are_long_while_they_pay_then_rare_and_short() {
        let spin = AdaptiveSpin::new(Policy::for_answer(8));
        spin.learn_found(3);
        for wait in 0..2 * PROBE_EVERY {
            let expected = match wait {
                0..LONG_SPINS => WAKING_US * PER_US,
                PROBE_EVERY => 2 + FEW_LOOKS,
                _ => 0,
            };
            assert_eq!(spin.looks_at(PER_US), expected, "{wait}");
            spin.learn_failed();
        }
        spin.learn_found(1);
        assert_eq!(spin.looks_at(PER_US), WAKING_US * PER_US);
    }

    #[test]
    fn a_probe_outlasts_the_wait_of_two_that_are_asleep() {
        let spin = AdaptiveSpin::new(Policy::for_answer(8));
        let waited = Duration::from_micros(40);
        for _ in 0..PROBE_EVERY - LONG_SPINS + 1 {
            spin.learn_failed();
            spin.learn_wait(waited, WAKING_US);
        }
        let per_us = looks_per_us();
        let needed = 40 * per_us;
        assert!((needed..=2 * needed + FEW_LOOKS).contains(&spin.looks_at(per_us)));
    }

    #[test]
    fn a_spin_for_an_answer_outlasts_waking_up_and_the_copies_of_the_value() {
        let looks = |bytes| AdaptiveSpin::new(Policy::for_answer(bytes)).looks_at(PER_US);
        assert_eq!(looks(65_536), (WAKING_US + 16) * PER_US);
        assert_eq!(looks(1 << 20), (WAKING_US + 262) * PER_US);
        assert_eq!(looks(usize::MAX), MAX_US * PER_US);
    }

    #[test]
    fn spins_for_a_lock_are_as_long_as_was_needed_and_never_none() {
        let spin = AdaptiveSpin::new(Policy::Lock);
        (0..100).for_each(|_| spin.learn_found(6));
        assert_eq!(spin.looks_at(PER_US), 2 * 6 + FEW_LOOKS);
        (0..100).for_each(|_| spin.learn_found(1_000));
        assert_eq!(spin.looks_at(PER_US), 6 * PER_US);
        for _ in 0..10_000 {
            spin.learn_failed();
            assert!((FEW_LOOKS..=6 * PER_US).contains(&spin.looks_at(PER_US)));
        }
    }

    #[test]
    fn on_one_processor_nothing_spins() {
        for policy in [Policy::Lock, Policy::for_answer(1 << 20)] {
            let spin = AdaptiveSpin::new(policy);
            for _ in 0..2 * PROBE_EVERY {
                assert_eq!(spin.looks_at(0), 0);
                spin.learn_failed();
            }
        }
    }
}
