//! Threads that sleep on words for which a waiter has no room: see `group`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::entries::{PART, Shared, Sleep};
use crate::memory::atomic::{AtomicBool, Ordering};
use crate::sys::alarm::Alarm;
use crate::sys::thread::{STACK_BYTES, start};
use crate::sys::wait::Many;

/// The lookouts of a group.
#[derive(Default)]
pub(super) struct Lookouts(Mutex<Vec<Arc<Lookout>>>);

/// One of them.
struct Lookout {
    /// Which part of the sources is its own. 0 is that of the waiter itself.
    part: usize,
    /// Rung when it is armed, when the sources change, and when it is to end.
    alarm: Alarm,
    is_armed: AtomicBool,
    has_ended: AtomicBool,
}

impl Lookouts {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Lookout>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has so many sources watched that are behind those of the waiter. Returns whether they are.
    pub(super) fn arm(&self, shared: &Arc<Shared>, others: usize) -> bool {
        if others == 0 {
            return true;
        }
        let mut lookouts = self.lock();
        while lookouts.len() < others.div_ceil(PART) {
            match Lookout::start(shared, lookouts.len() + 1) {
                Some(lookout) => lookouts.push(lookout),
                None => break,
            }
        }
        lookouts.iter().for_each(|lookout| lookout.arm());
        lookouts.len() >= others.div_ceil(PART)
    }

    /// Makes those that are armed look again: the sources have changed.
    pub(super) fn ring(&self) {
        self.lock().iter().for_each(|lookout| lookout.alarm.ring());
    }

    /// Ends all of them.
    pub(super) fn end(&self) {
        for lookout in self.lock().drain(..) {
            // ORDERING: Release; the ring follows.
            lookout.has_ended.store(true, Ordering::Release);
            lookout.alarm.ring();
        }
    }
}

impl Lookout {
    /// Starts a lookout, if the system allows a thread more.
    fn start(shared: &Arc<Shared>, part: usize) -> Option<Arc<Self>> {
        let [is_armed, has_ended] = [false; 2].map(AtomicBool::new);
        let lookout = Arc::new(Self { part, alarm: Alarm::default(), is_armed, has_ended });
        let run = {
            let (lookout, shared) = (lookout.clone(), shared.clone());
            move || lookout.run(&shared)
        };
        start("shmkit-waits", STACK_BYTES, run).ok().map(|_| lookout)
    }

    fn arm(&self) {
        // ORDERING: AcqRel; pairs with the store in `run`: if it is still armed, the ring of the
        // group's alarm is yet to come.
        if !self.is_armed.swap(true, Ordering::AcqRel) {
            self.alarm.ring();
        }
    }

    /// The life of the thread.
    fn run(&self, shared: &Shared) {
        let mut many = Many::new();
        loop {
            let seen = self.alarm.count();
            // ORDERING: Acquire; pairs with the Release in `end`.
            if self.has_ended.load(Ordering::Acquire) {
                return;
            }
            // ORDERING: Acquire; pairs with the exchange in `arm`.
            if !self.is_armed.load(Ordering::Acquire) {
                many.wait(&[(self.alarm.word(), seen)], None);
                continue;
            }
            let entries = shared.entries();
            let own = entries.chunks(PART).nth(self.part).unwrap_or_default();
            let Some(Sleep { words, at_most }) = Sleep::on(&self.alarm, seen, own) else {
                // ORDERING: Release; pairs with the exchange in `arm`. Before the ring.
                self.is_armed.store(false, Ordering::Release);
                shared.alarm.ring();
                continue;
            };
            many.wait(&words, at_most.map(|it| Instant::now() + it));
            own.iter().for_each(|entry| entry.source().pass_wake_on());
        }
    }
}
