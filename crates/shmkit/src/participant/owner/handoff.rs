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
//! Writers leave the word to readers in the same way, if there are handoffs and READERS is set. A
//! word that is reserved for a dead or stopped thread is acquired by a thread that waits after 50
//! ms. (If all others sleep: after their slices.) An attempt, or a wait whose time is over, leaves
//! a reserved word alone, except once in 50 ms.

use super::OwnerWord;
use super::state::{READERS, Request, State, Use};
use crate::memory::atomic::Ordering;
use crate::sys::process::unix_time_ns;
use crate::wait::{Standing, Wake};

/// How long the lock's holders run, at least, before a waiter requests that they hand it over.
pub(super) const RUN_NS: u64 = 1_000_000;

impl OwnerWord<'_> {
    /// Returns what a waiter requests when it sleeps again.
    pub(super) fn request(self, standing: &Standing) -> Option<Request> {
        if self.of == Use::Role || !standing.starves {
            return None;
        }
        if standing.starves_for_long {
            return Some(Request::ToMe);
        }
        // ORDERING: Relaxed; a wrong time, as after the clock was set, costs a handoff too early or
        // too late.
        let last_ns = self.handed_ns.map(|handed_ns| handed_ns.load(Ordering::Relaxed));
        let is_over = |last_ns| unix_time_ns().wrapping_sub(last_ns) >= RUN_NS;
        last_ns.is_none_or(is_over).then_some(Request::ToFirst)
    }

    /// Records that a handoff took place.
    #[cold]
    pub(super) fn record_handoff(self) {
        if let Some(handed_ns) = self.handed_ns {
            // ORDERING: Relaxed; as in `request`.
            handed_ns.store(unix_time_ns(), Ordering::Relaxed);
        }
    }

    /// Ends the handoff for readers that a reader found in `state` when it shared the lock.
    pub(crate) fn end_handoff_to_readers(self, state: State) {
        if state.has_handoffs() && state.has(READERS) {
            self.drop_handoffs();
        }
    }

    /// Cancels the handoffs requested by a waiter that no longer waits.
    pub(super) fn drop_handoffs(self) {
        let mut state = self.look();
        while state.has_handoffs() {
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

    /// Returns whether this waiter leaves a free word to others for now.
    pub(super) fn is_reserved_for_others(self, state: State, standing: &Standing) -> bool {
        let may_take = standing.patience_is_over || standing.slept && !state.has(READERS);
        state.has_handoffs() && !may_take
    }
}
