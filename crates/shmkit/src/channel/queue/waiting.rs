//! Waiting for a message, or for a free slot.
//!
//! # Why no thread sleeps beside a message, or a free slot
//!
//! Receivers sleep on `arrivals`, senders on `departures`. These words change only while a thread
//! may sleep, so that a message costs no further exchange.
//!
//! | a waiter | a process that lets it go on |
//! |---|---|
//! | W1 sets ASLEEP in the word | C1 exchanges an entry, a slot or `returned` |
//! | W2 looks for a message, or a slot: nothing | C2 looks at the word |
//! | W3 sleeps if the word is still that of W1 | C3 if ASLEEP is set: clears it, and wakes one |
//!
//! C3 is an exchange for the next count without ASLEEP.
//!
//! Between W1 and W2, and between C1 and C2, is a full fence, or the accesses are sequentially
//! consistent. So if W2 misses C1, C2 sees W1, or a later value of the word; then another process
//! changed it after W1. In both cases the word is not that of W1 any more, and W3 does not sleep,
//! or is woken. The count makes each change visible: ASLEEP that is set again for another waiter
//! does not make the word equal to an old value.
//!
//! One change is not told: a sender frees its slot again because the line is full. No sender can
//! use that slot until a receiver takes the first message, and the receiver tells when it frees the
//! slot of that. If the sender told, it would clear its own mark of W1, and never sleep.
//!
//! A wake of one clears the mark of all. So a thread that slept sets it again when it has what it
//! waited for, or gives up; then it looks, and wakes another thread if there is something for it.

use core::ops::ControlFlow;

use super::protocol::{Caller, Order, Outgoing, QueueWords, Refused};
use super::slots::State;
use crate::memory::atomic::{Ordering, fence};
use crate::participant::Liveness;
use crate::wait::{ASLEEP, Checked, Extent, Poll, SleepTicket, Until, WaitWord, Wake};

/// How many slots a sender that spins looks at.
const LOOKED_AT: usize = 8;
/// For how many messages more than one there is room when it looks, at the most.
const MAX_ROOM: u64 = 16;

impl<'a> QueueWords<'a> {
    /// Sends a message, and waits for a free slot as long as `until` says.
    #[cold]
    #[inline(never)]
    pub(super) fn send(
        self,
        caller: Caller<'_, impl Liveness>,
        message: Outgoing<'_>,
        until: Until,
    ) -> Result<(), Refused> {
        let word = WaitWord::new(self.departures);
        let attempt = |looked_at| self.try_send(caller, message, looked_at);
        let waited = caller.wait_loop.wait_looking(
            &mut (),
            caller.liveness.notices(),
            until,
            |()| match self.is_nearly_full(caller) {
                true => ControlFlow::Continue(()),
                false => match attempt(LOOKED_AT) {
                    Ok(false) => ControlFlow::Continue(()),
                    sent => ControlFlow::Break(Some(sent)),
                },
            },
            |(), _| {
                self.poll(word, until, || {
                    if self.is_closed() {
                        return Err(Refused::Closed);
                    }
                    Ok(attempt(self.slots.count())?.then_some(true))
                })
            },
            |(), extent| self.check(extent, caller.liveness),
        );
        if waited.slept {
            self.wake_next(word, || self.has_free_slot());
        }
        waited.result(|| Err(Refused::TimedOut), |stop| Err(Refused::Stopped(stop))).map(|_| ())
    }

    /// Whether a sender that spins had better leave the slots to the receivers.
    ///
    /// Each look at a slot takes its line from the receiver that is about to use it. So such a
    /// sender waits until so many messages were taken that there is room for several, which it
    /// sends without waiting. Messages that receivers have for long do not count here, and a single
    /// slot that becomes free is found after the spin, by the look at all slots.
    fn is_nearly_full(self, caller: Caller<'_, impl Liveness>) -> bool {
        let depth = self.slots.count() as u64;
        let room = 1 + (depth / 8).min(MAX_ROOM);
        let waiting = match self.order {
            Order::Line(line) => line.length(&caller.came.sent),
            Order::Ranks(_, ranks) => ranks.waiting(),
        };
        waiting > depth - room.min(depth)
    }

    pub(super) fn has_free_slot(self) -> bool {
        self.slots.all().any(|(_, slot)| slot.word() == State::Free.to_bits())
    }

    /// Receives a message, and waits for one as long as `until` says. Returns the slot, which is
    /// TAKEN by the caller, and has its deliveries counted.
    #[cold]
    #[inline(never)]
    pub(super) fn receive(
        self,
        caller: Caller<'_, impl Liveness>,
        until: Until,
    ) -> Result<usize, Refused> {
        let word = WaitWord::new(self.arrivals);
        let waited = caller.wait_loop.wait_looking(
            &mut (),
            caller.liveness.notices(),
            until,
            |()| match self.try_receive(caller).transpose() {
                None => ControlFlow::Continue(()),
                found => ControlFlow::Break(found),
            },
            |(), _| {
                self.poll(word, until, || match self.try_receive(caller)? {
                    // What was sent before the object was retired can still be received.
                    None if self.is_closed() => Err(Refused::Closed),
                    found => Ok(found),
                })
            },
            |(), extent| self.check(extent, caller.liveness),
        );
        if waited.slept {
            self.wake_next(word, || self.may_have_message());
        }
        waited.result(|| Err(Refused::TimedOut), |stop| Err(Refused::Stopped(stop)))
    }

    /// Looks, marks that this thread may sleep, and looks again.
    pub(super) fn poll<T>(
        self,
        word: WaitWord<'a>,
        until: Until,
        look: impl Fn() -> Result<Option<T>, Refused>,
    ) -> Poll<'a, Result<T, Refused>> {
        if let Some(found) = look().transpose() {
            return Poll::Ready(found);
        }
        // ORDERING: Acquire; pairs with the change in `tell`.
        let mut seen = word.load(Ordering::Acquire);
        if until == Until::Now {
            // It does not sleep.
            return Poll::Pending(SleepTicket::new(word, seen));
        }
        if seen & ASLEEP == 0 {
            let marked = seen | ASLEEP;
            match word.change(seen, marked, Ordering::Relaxed, Wake::Nobody) {
                Ok(()) => seen = marked,
                // It has changed: the thread does not fall asleep.
                Err(_) => return Poll::Pending(SleepTicket::new(word, seen)),
            }
        }
        // ORDERING: SeqCst; between W1 and W2.
        fence(Ordering::SeqCst);
        match look().transpose() {
            Some(found) => Poll::Ready(found),
            None => Poll::Pending(SleepTicket::new(word, seen)),
        }
    }

    /// The slow check of a waiter for either word.
    fn check<T>(
        self,
        extent: Extent<'_>,
        liveness: &impl Liveness,
    ) -> Option<Checked<Result<T, Refused>>> {
        self.sweep(extent, liveness);
        liveness.object_is_removed().then_some(Checked::Removed(Err(Refused::Closed)))
    }

    /// After a wait: sets the mark for other sleepers, and wakes one if there is something for it.
    #[cold]
    pub(super) fn wake_next(self, word: WaitWord<'a>, has_more: impl Fn() -> bool) {
        // CRASH: dying here leaves other sleeping threads without a mark, until the death notice or
        // the end of their slices.
        word.mark_asleep_if(|_| true);
        // ORDERING: SeqCst; as in `poll`.
        fence(Ordering::SeqCst);
        if has_more() {
            word.pass_wake_on();
        }
    }
}
