//! An event: something that has happened, or has not yet.
//!
//! ```text
//! 63                         3   2     1        0
//! +---------------------------+-----+--------+--------+
//! | how many times it was set | SET | ASLEEP | CLOSED |
//! +---------------------------+-----+--------+--------+
//! ```
//!
//! | state | manual reset | automatic reset |
//! |---|---|---|
//! | not set | any process, to set; all waiters continue | the same; one waiter continues |
//! | SET | any process, by a reset | one waiter takes it: by the exchange that clears it |
//!
//! The event may be set and reset before a waiter looks. The count shows this waiter that the event
//! was set while it waited.
//!
//! # Why no wake is lost
//!
//! As in `wait::word`. An automatic event wakes one waiter at a time. That waiter marks the word
//! for the other waiters before it takes the event, so that the next set wakes the next waiter.

use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::Liveness;
use crate::wait::{
    ASLEEP, CLOSED, Checked, Poll, Readiness, SleepTicket, Standing, Stop, Until, WaitLoop,
    WaitWord, Wake,
};

const SET: u64 = 1 << 2;
const ONE: u64 = 1 << 3;

/// The word of a new event.
pub(crate) fn at_first(is_set: bool) -> u64 {
    if is_set { SET | ONE } else { 0 }
}

/// How an event that was set is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Reset {
    /// It stays set, for all waiters, until a process resets it.
    Manual = 1,
    /// One waiter takes it, which resets it.
    Automatic = 2,
}

impl Reset {
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        [Self::Manual, Self::Automatic].into_iter().find(|it| *it as u64 == number)
    }

    /// Returns the word for it, as `shm` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automatic => "automatic",
        }
    }
}

/// Why a wait for an event failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventError {
    /// The object was retired.
    Closed,
    /// The deadline passed.
    TimedOut,
    /// The wait was stopped.
    Stopped(Stop),
}

/// The word of an event.
#[derive(Clone, Copy)]
pub(crate) struct EventWord<'a> {
    word: WaitWord<'a>,
    reset: Reset,
}

impl<'a> EventWord<'a> {
    pub(crate) fn new(word: &'a AtomicU64, reset: Reset) -> Self {
        Self { word: WaitWord::new(word), reset }
    }

    pub(crate) fn look(self) -> u64 {
        // ORDERING: Acquire; pairs with the Release in `set`.
        self.word.load(Ordering::Acquire)
    }

    pub(crate) fn is_set(self) -> bool {
        self.look() & SET != 0
    }

    /// Sets the event. False if the object was retired.
    pub(crate) fn set(self) -> bool {
        let wake = match self.reset {
            Reset::Manual => Wake::All,
            Reset::Automatic => Wake::One,
        };
        let mut had = self.look();
        while had & CLOSED == 0 {
            // An event that is already set is set again: the thread that takes it, or looks after a
            // reset, must see what was done before this set.
            let (set, wake) = match had & SET {
                0 => ((had & !ASLEEP | SET).wrapping_add(ONE), wake),
                _ => (had, Wake::Nobody),
            };
            // ORDERING: AcqRel; pairs with the Acquire in `look`: what was done before is seen.
            match self.word.change(had, set, Ordering::AcqRel, wake) {
                Ok(()) => return true,
                Err(found) => had = found,
            }
        }
        false
    }

    /// Resets the event.
    pub(crate) fn reset(self) {
        let mut had = self.look();
        while had & SET != 0 {
            // ORDERING: AcqRel; in order with the sets of other threads.
            match self.word.change(had, had & !SET, Ordering::AcqRel, Wake::Moved) {
                Ok(()) => return,
                Err(found) => had = found,
            }
        }
    }

    /// Takes an automatic event, if it is set. `slept`: other waiters may sleep for the next set.
    fn take(self, slept: bool) -> bool {
        if slept && !self.word.mark_asleep_if(|word| word & SET != 0) {
            return false;
        }
        let mut had = self.look();
        while had & SET != 0 {
            // CRASH: a process that dies after this has taken the event. If it dies before that,
            // another waiter takes the event.
            // ORDERING: AcqRel; pairs with the exchange in `set`.
            match self.word.change(had, had & !SET, Ordering::AcqRel, Wake::Nobody) {
                Ok(()) => return true,
                Err(found) => had = found,
            }
        }
        false
    }

    /// Returns ready if the event is set, or was set since the word was `begun`; otherwise returns
    /// what to sleep on. Takes an automatic event.
    pub(crate) fn poll(self, begun: u64, standing: &Standing) -> Poll<'a, Result<(), EventError>> {
        let now = self.look();
        let is_ready = match self.reset {
            Reset::Manual => now & SET != 0 || (now ^ begun) / ONE != 0,
            Reset::Automatic => now & SET != 0 && self.take(standing.slept),
        };
        match is_ready {
            true => Poll::Ready(Ok(())),
            false if now & CLOSED != 0 => Poll::Ready(Err(EventError::Closed)),
            false => Poll::Pending(SleepTicket::new(self.word, now)),
        }
    }

    /// Waits until the event is set, or was set since the word was `begun`.
    pub(crate) fn wait(
        self,
        begun: u64,
        wait_loop: &WaitLoop,
        until: Until,
        liveness: &impl Liveness,
    ) -> Result<(), EventError> {
        let waited = wait_loop.wait(
            liveness.notices(),
            until,
            |standing| self.poll(begun, standing),
            |_| liveness.object_is_removed().then_some(Checked::Removed(Err(EventError::Closed))),
        );
        let slept = waited.slept;
        let outcome =
            waited.result(|| Err(EventError::TimedOut), |stop| Err(EventError::Stopped(stop)));
        if slept && outcome.is_err() {
            self.pass_wake_on();
        }
        outcome
    }

    /// Has another waiter woken, which may need the wake that this one received, and the mark that
    /// went with it.
    pub(crate) fn pass_wake_on(self) {
        if self.reset == Reset::Automatic {
            self.word.mark_asleep_if(|_| true);
            if self.is_set() {
                self.word.pass_wake_on();
            }
        }
    }

    /// Returns whether it is set, and otherwise what to sleep on. Takes nothing.
    pub(crate) fn readiness(self) -> Readiness<'a> {
        match self.look() {
            now if now & (SET | CLOSED) != 0 => Readiness::Ready,
            now => Readiness::Pending(SleepTicket::new(self.word, now)),
        }
    }
}

#[cfg(all(test, loom))]
mod models;
