//! Handoffs: why nobody starves.
//!
//! The first thread that finds the word free acquires it. This is fastest while critical sections
//! are short, but the first thread is seldom a waiter that must be woken. So a waiter that slept
//! and still finds the word held, 1 ms after it began to wait and 1 ms after the last handoff,
//! reserves the next acquisition for a thread that slept. A waiter that has not slept for the word
//! leaves it to those, and sleeps. Sleeping waiters are woken in the order in which they went to
//! sleep, so each has its run of about 1 ms in turn. (The time of the last handoff is in a word of
//! its own: without it, the waiter that was woken most often would have most of the runs.)
//!
//! A waiter that is woken and finds the word held loses its place in the queue. So after 16 ms it
//! reserves the next 255 acquisitions: each thread that slept subtracts one, and the waiter that
//! requested them clears the rest.
//!
//! # Readers and writers
//!
//! A starving reader sets TO_READERS in a held word. Once that word is free, writers leave it to
//! readers: the first reader that shares the lock clears the mark. That begins a run of 1 ms of the
//! readers. The other way round, readers leave a free word to writers while it has handoffs, but
//! not in their own run.
//!
//! | the free word has | readers | writers |
//! |---|---|---|
//! | TO_READERS | share; the first one clears it | sleep, and request the handoff after it |
//! | handoffs, in a run of readers | share | acquire, if they slept |
//! | handoffs, otherwise | sleep | acquire, if they slept |
//!
//! So readers and writers hold the lock in turn. A writer requests the next turn when it leaves the
//! word to readers. Without this request they could keep the processors for much longer than 1 ms,
//! while the woken writer waits for one.
//!
//! In a run of writers, a reader that finds the word held sleeps for the rest of the run. It does
//! not mark the word. Otherwise each release would wake all readers, and these would take the
//! processor from the writer.
//!
//! # If a process dies or is stopped
//!
//! A word that is reserved for a dead or stopped thread is acquired by a thread that waits after 50
//! ms. (If all others sleep: after their slices.) An attempt, or a wait whose time is over, leaves
//! a reserved word alone, except once in 50 ms.

use core::time::Duration;

use super::OwnerWord;
use super::state::{READERS, Request, State, TO_READERS, Use};
use crate::memory::atomic::Ordering;
use crate::wait::{ASLEEP, RUN, Standing, Wake};

impl OwnerWord<'_> {
    /// Returns what a waiter requests when it sleeps again, which has found `state`. It wants to
    /// share the lock, or to hold it.
    pub(super) fn request(
        self,
        state: State,
        shares: bool,
        standing: &Standing,
    ) -> Option<Request> {
        if self.of == Use::Role {
            return None;
        }
        if !shares && state.is_left_to_readers() && !state.has_handoffs() {
            return Some(Request::First);
        }
        if !standing.starves || shares && state.holder().is_none() {
            return None;
        }
        match (shares, standing.starves_for_long) {
            (true, true) => Some(Request::Readers),
            (false, true) => Some(Request::Me),
            _ if !self.run_is_over() => None,
            (true, false) => Some(Request::Readers),
            (false, false) => (!state.has_handoffs()).then_some(Request::First),
        }
    }

    /// Returns whether the last handoff was 1 ms ago.
    fn run_is_over(self) -> bool {
        self.last_run().is_none()
    }

    /// Returns how much is left of the last run, and whether it is of readers.
    fn last_run(self) -> Option<(Duration, bool)> {
        // A wrong time, as after the clock was set, costs a handoff too early or too late.
        self.handed?.left_of(RUN)
    }

    /// Returns how long a reader that finds `state` leaves the lock to writers, whose run it is.
    pub(super) fn writers_run(self, state: State, standing: &Standing) -> Option<Duration> {
        if state.is_left_to_readers() || standing.starves_for_long {
            return None;
        }
        self.last_run().and_then(|(left, is_of_readers)| (!is_of_readers).then_some(left))
    }

    /// Records that a handoff took place: a run begins.
    #[cold]
    pub(super) fn record_handoff(self, of_readers: bool) {
        if let Some(handed) = self.handed {
            handed.record_marked(of_readers);
        }
    }

    /// Returns the word that a release leaves behind, and whom the release wakes: only threads that
    /// may take the word, so that the others keep their places in the queue.
    pub(super) fn released(self, state: State) -> (State, Wake) {
        let free = state.without_holder();
        if self.of == Use::Role || !state.has(READERS) {
            return (free, Wake::One);
        }
        if state.is_left_to_readers() {
            return (free.with(state.word & ASLEEP), Wake::Sharers);
        }
        match state.has_handoffs() {
            true => (free.with(READERS), Wake::One),
            false => (free, Wake::OneAndSharers),
        }
    }

    /// Begins the run of the readers, if a reader found in `state` that the word is left to them.
    pub(crate) fn end_handoff_to_readers(self, mut state: State) {
        if state.is_left_to_readers() {
            self.record_handoff(true);
        }
        while state.is_left_to_readers() {
            // If the word is held, its release wakes. If it is free, writers may sleep because it
            // was left to readers: wake one.
            let wake = if state.holder().is_some() { Wake::Moved } else { Wake::One };
            // ORDERING: Relaxed; the mark carries nothing.
            match self.exchange(state, state.without(TO_READERS), Ordering::Relaxed, wake) {
                Ok(()) => return,
                Err(found) => state = found,
            }
        }
    }

    /// Cancels the handoffs requested by a waiter that no longer waits.
    pub(crate) fn drop_handoffs(self) {
        let mut state = self.look();
        while state.is_reserved() {
            let dropped = state.without_handoffs();
            // Only while the word is free, others have left it.
            let wake = if state.holder().is_some() { Wake::Moved } else { Wake::All };
            // ORDERING: Relaxed; the mark carries nothing.
            match self.exchange(state, dropped, Ordering::Relaxed, wake) {
                Ok(()) => return,
                Err(found) => state = found,
            }
        }
    }

    /// Has another waiter woken, since this one may have received a wake that it does not use: now,
    /// or by the holder.
    pub(super) fn leave_queue(self) {
        let is_held = |word| self.state(word).holder().is_some();
        if !self.wait_word().mark_asleep_if(is_held) {
            self.wait_word().pass_wake_on();
        }
    }

    /// Returns whether a waiter that wants to hold the lock leaves the free word to others for now.
    pub(super) fn is_reserved_for_others(self, state: State, standing: &Standing) -> bool {
        let may_use_handoff = standing.slept || standing.requested;
        let is_reserved = state.is_left_to_readers() || state.has_handoffs() && !may_use_handoff;
        is_reserved && !standing.patience_is_over
    }

    /// Returns whether a reader leaves the free word to others for now.
    pub(crate) fn is_reserved_for_writers(self, state: State, standing: &Standing) -> bool {
        state.has_handoffs()
            && !state.is_left_to_readers()
            && state.holder().is_none()
            && !standing.patience_is_over
            && self.last_run().is_none_or(|(_, is_of_readers)| !is_of_readers)
    }
}
