//! Waiting for a request, for a response, for a free slot, for room.
//!
//! # Why no thread sleeps beside what it waits for
//!
//! A client that waits for a response sleeps on `answer` of its slot, and a server that waits for
//! room on `taken`. Each change of these is one exchange that wakes: see `wait::word`.
//!
//! Servers sleep on `arrivals`, and clients that find no free slot on `departures`. These change
//! only while a thread may sleep, so that a call costs no further exchange.
//!
//! | a waiter | a process that lets it go on |
//! |---|---|
//! | W1 sets ASLEEP in the word | C1 sets a bit in `waiting`, or frees a slot |
//! | W2 looks: nothing | C2 looks at the word |
//! | W3 sleeps if the word is still that of W1 | C3 if ASLEEP is set: clears it, and wakes one |
//!
//! Between W1 and W2 is a full fence, and C1 and C2 are sequentially consistent. So if W2 misses
//! C1, C2 sees W1, or a later value of the word; then another process changed it after W1. In both
//! cases the word is not that of W1 any more, and W3 does not sleep, or is woken. C3 counts, so
//! that ASLEEP that is set again for another waiter does not make the word equal to an old value.
//!
//! A wake of one clears the mark of all. So a thread that slept sets it again when it has what it
//! waited for, or gives up; then it looks, and wakes another thread if there is something for it.

use core::ops::ControlFlow;

use super::order::Order;
use super::protocol::{Answer, Asked, Begun, CallWords, Failure, Room};
use super::state::State;
use crate::memory::atomic::{AtomicU64, Ordering, fence};
use crate::participant::{Liveness, ParticipantId};
use crate::wait::{ASLEEP, Checked, Poll, SleepTicket, Until, WaitLoop, WaitWord, Wake};

/// The participant that waits.
pub(super) struct Caller<'c, L> {
    pub(super) me: ParticipantId,
    pub(super) liveness: &'c L,
    pub(super) wait_loop: &'c WaitLoop,
}

impl<L> Clone for Caller<'_, L> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for Caller<'_, L> {}

impl<'a> CallWords<'a> {
    /// Sends a request, and waits for a free slot as long as `until` says.
    #[cold]
    #[inline(never)]
    pub(super) fn ask_within(
        self,
        caller: Caller<'_, impl Liveness>,
        hint: &AtomicU64,
        request: &[u8],
        until: Until,
    ) -> Result<Asked, Failure> {
        let word = WaitWord::new(self.departures);
        let ask = || self.ask(caller.me, hint, request);
        let waited = caller.wait_loop.wait(
            caller.liveness.notices(),
            until,
            |_| poll(word, until, ask),
            |extent| {
                self.sweep(extent, caller.liveness);
                is_removed(caller.liveness)
            },
        );
        if waited.slept {
            wake_next(word, || self.has_free_slot());
        }
        waited.result(|| Err(Failure::TimedOut), |stop| Err(Failure::Stopped(stop)))
    }

    pub(super) fn has_free_slot(self) -> bool {
        self.slots.all().any(|(_, slot)| slot.word() == State::Free.to_bits())
    }

    /// Begins the oldest request, and waits for one as long as `until` says. Calls `spun` when
    /// spinning has not helped.
    #[cold]
    #[inline(never)]
    pub(super) fn begin_within(
        self,
        caller: Caller<'_, impl Liveness>,
        order: &Order,
        until: Until,
        mut spun: impl FnMut(),
    ) -> Result<Begun, Failure> {
        let word = WaitWord::new(self.arrivals);
        let waited = caller.wait_loop.wait_looking(
            &mut (),
            caller.liveness.notices(),
            until,
            |()| match order.begin(self, caller.me).transpose() {
                None => ControlFlow::Continue(()),
                found => ControlFlow::Break(found),
            },
            |(), _| {
                spun();
                poll(word, until, || match order.begin(self, caller.me)? {
                    None if self.is_closed() => Err(Failure::Closed),
                    found => Ok(found),
                })
            },
            |(), extent| {
                self.sweep(extent, caller.liveness);
                is_removed(caller.liveness)
            },
        );
        if waited.slept {
            wake_next(word, || self.has_request());
        }
        waited.result(|| Err(Failure::TimedOut), |stop| Err(Failure::Stopped(stop)))
    }

    pub(super) fn has_request(self) -> bool {
        let mut has_any = false;
        self.each_waiting(|_, _| has_any = true);
        has_any
    }

    /// Waits for the next response, or for the end, as long as `until` says. Calls `spun` when
    /// spinning has not helped.
    #[inline(always)]
    pub(super) fn answer_within(
        self,
        caller: Caller<'_, impl Liveness>,
        asked: &Asked,
        until: Until,
        mut spun: impl FnMut(),
    ) -> Result<Answer, Failure> {
        let slot = self.slots.get(asked.slot).ok_or(Failure::Corrupt)?;
        let look = || match self.look(asked) {
            Ok(Answer::Pending(seen)) => Err(seen),
            Ok(Answer::Closed) => Ok(Err(Failure::Closed)),
            found => Ok(found),
        };
        let waited = caller.wait_loop.wait_looking(
            &mut (),
            caller.liveness.notices(),
            until,
            |()| {
                slot.fetch_response_early();
                match look() {
                    Ok(found) => ControlFlow::Break(Some(found)),
                    Err(_) => ControlFlow::Continue(()),
                }
            },
            |(), _| {
                spun();
                match look() {
                    Ok(found) => Poll::Ready(found),
                    Err(seen) => Poll::Pending(SleepTicket::new(slot.answer(), seen)),
                }
            },
            |(), _| match self.check_server(asked, caller.liveness) {
                Some(server) => Some(Checked::Found(Err(Failure::Died(server)))),
                None => is_removed(caller.liveness),
            },
        );
        waited.result(|| Err(Failure::TimedOut), |stop| Err(Failure::Stopped(stop)))
    }

    /// Waits until there is room for another response, as long as `until` says.
    #[cold]
    #[inline(never)]
    pub(super) fn room_within(
        self,
        caller: Caller<'_, impl Liveness>,
        begun: &Begun,
        client: Option<ParticipantId>,
        until: Until,
    ) -> Result<(), Failure> {
        let slot = self.slots.get(begun.slot).ok_or(Failure::Corrupt)?;
        let waited = caller.wait_loop.wait(
            caller.liveness.notices(),
            until,
            |_| match self.room(begun) {
                Ok(Room::There) => Poll::Ready(Ok(())),
                Ok(Room::GivenUp) => Poll::Ready(Err(Failure::GivenUp)),
                Ok(Room::Closed) => Poll::Ready(Err(Failure::Closed)),
                Ok(Room::Pending(seen)) => Poll::Pending(SleepTicket::new(slot.taken(), seen)),
                Err(failure) => Poll::Ready(Err(failure)),
            },
            |_| match client.filter(|it| caller.liveness.reap_if_dead(*it)) {
                Some(client) => Some(Checked::Found(Err(Failure::Died(client)))),
                // It gave up, and died before it could tell.
                None if self.is_given_up(caller.me, begun) => {
                    Some(Checked::Found(Err(Failure::GivenUp)))
                }
                None => is_removed(caller.liveness),
            },
        );
        waited.result(|| Err(Failure::TimedOut), |stop| Err(Failure::Stopped(stop)))
    }
}

fn is_removed<T>(liveness: &impl Liveness) -> Option<Checked<Result<T, Failure>>> {
    liveness.object_is_removed().then_some(Checked::Removed(Err(Failure::Closed)))
}

/// Looks, marks that this thread may sleep, and looks again.
pub(super) fn poll<'a, T>(
    word: WaitWord<'a>,
    until: Until,
    look: impl Fn() -> Result<Option<T>, Failure>,
) -> Poll<'a, Result<T, Failure>> {
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

/// After a wait: sets the mark for other sleepers, and wakes one if there is something for it.
#[cold]
pub(super) fn wake_next(word: WaitWord<'_>, has_more: impl Fn() -> bool) {
    // CRASH: dying here leaves other sleeping threads without a mark, until the death notice or
    // the end of their slices.
    word.mark_asleep_if(|_| true);
    // ORDERING: SeqCst; as in `poll`.
    fence(Ordering::SeqCst);
    if has_more() {
        word.pass_wake_on();
    }
}
