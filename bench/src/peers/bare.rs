//! The least that a futex needs around it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::futex;
use crate::hand::{Place, TOTAL, add_one};
use crate::sync::{Lock, Turns};

/// The second mutex of Drepper's "Futexes Are Tricky".
///
/// | value | meaning |
/// |---|---|
/// | 0 | free |
/// | 1 | held, nobody sleeps |
/// | 2 | held, somebody may sleep |
pub(crate) struct Mutex<'a> {
    state: &'a AtomicU64,
    total: &'a AtomicU64,
}

impl<'a> Mutex<'a> {
    pub(crate) fn at(place: Place<'a>) -> Self {
        if place.make {
            place.word(0).store(0, Ordering::Relaxed);
            place.word(TOTAL).store(0, Ordering::Relaxed);
        }
        Self { state: place.word(0), total: place.word(TOTAL) }
    }

    #[cold]
    fn lock_held(&self, mut found: u64) {
        if found != 2 {
            found = self.state.swap(2, Ordering::Acquire);
        }
        while found != 0 {
            futex::wait(self.state, 2);
            found = self.state.swap(2, Ordering::Acquire);
        }
    }
}

impl Lock for Mutex<'_> {
    #[inline]
    fn add(&self, section: impl FnOnce()) {
        let free = self.state.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
        if let Err(found) = free {
            self.lock_held(found);
        }
        add_one(self.total);
        section();
        if self.state.swap(0, Ordering::Release) == 2 {
            futex::wake_one(self.state);
        }
    }
}

/// Two words, each slept on by one side until it is 1.
pub(crate) struct Flags<'a>([&'a AtomicU64; 2]);

impl<'a> Flags<'a> {
    pub(crate) fn at(place: Place<'a>) -> Self {
        let flags = [0, 16].map(|at| place.word(at));
        if place.make {
            flags.iter().for_each(|flag| flag.store(0, Ordering::Relaxed));
        }
        Self(flags)
    }
}

impl Turns for Flags<'_> {
    fn give(&self, to: usize) {
        self.0[to].store(1, Ordering::Release);
        futex::wake_one(self.0[to]);
    }

    fn take(&self, own: usize) {
        while self.0[own].swap(0, Ordering::Acquire) == 0 {
            futex::wait(self.0[own], 0);
        }
    }
}
