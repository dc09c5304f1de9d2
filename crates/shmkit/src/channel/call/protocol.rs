//! How requests and responses pass through the words of a call, and who may die where.
//!
//! ```text
//!          client                     server                       client
//!  FREE ─> WRITING ─> READY(n) ─────> BEGUN ─> ANSWERED(n) ──────> FREE
//!                        │ given up     │      FINISHED(n)
//!                        v              │      REFUSED(n)
//!                       FREE            └────> GIVEN UP ─────────> FREE, by the server
//! ```
//!
//! | state | meaning | who may leave it, and how |
//! |---|---|---|
//! | FREE | no call | any client, to WRITING by its id |
//! | WRITING(client) | it writes a request, or takes one back | the client, to READY or FREE |
//! | READY(n) | call n, which no server has begun | see below |
//! | BEGUN(server) | it has the request, and writes responses | see below |
//! | ANSWERED(n) | the last response is written | the client, to FREE |
//! | FINISHED(n) | all responses were announced before | the client, to FREE |
//! | REFUSED(n) | there is no answer, or no more of it | the client, to FREE |
//! | GIVEN UP(server) | the client does not wait any more | the server, to FREE |
//!
//! READY is left by any server, to BEGUN by its id, or by the client, to WRITING. BEGUN is left by
//! the server, to ANSWERED, FINISHED or REFUSED, or by the client, to GIVEN UP.
//!
//! | a death | leaves | who repairs it |
//! |---|---|---|
//! | of the client in WRITING, READY | a slot that nobody uses | any process, to FREE |
//! | of the client in BEGUN | a request without a client | the server, when it ends it or looks |
//! | of the client in ANSWERED, FINISHED, REFUSED | an answer | any process, to FREE |
//! | of the server in BEGUN | no answer | the client, to FREE: it reports `PeerDied` |
//! | of the server in GIVEN UP | a slot that nobody uses | any process, to FREE |
//! | of both in BEGUN | a slot that nobody uses | any process, to FREE |
//!
//! Each change is one exchange from a known value. READY, ANSWERED, FINISHED and REFUSED have the
//! number of the call, which no other call has; the others name a participant. So an exchange can
//! meet another call than the one that was looked at only where the same participant names both,
//! and in that state only this participant, or the client of the very call, exchanges: others do
//! so only once it is dead, and the dead begin nothing.
//!
//! # Why an answer never reaches another request
//!
//! As long as a server has a request, the slot is BEGUN or GIVEN UP, and no other call uses it. A
//! client that gives up leaves the slot to the server; if the server is stopped, the slot waits for
//! it, and the client goes on in another slot. A server that ended a request touches the slot once
//! more: it exchanges `answer`, from a value with the number of its call. If the client has found
//! out by itself, and the slot is used again, `answer` has another number, and the exchange fails.
//! A server whose slot was swept because it is dead makes no store any more. One that lives, and
//! only lost its liveness lock, looks at its identity before it writes: so a program must not close
//! descriptors that are not its own.
//!
//! # Why no request is lost
//!
//! A bit in `waiting` says where servers look. Only a participant that has the slot clears the bit:
//! the server after READY became BEGUN, or the client that took the request back. The client sets
//! it after READY. So a request that is READY has its bit, or its client is about to set it. A bit
//! that is set for a slot that is not READY costs each look of a server a look at the slot, until
//! the next call there.
//!
//! # Order
//!
//! Numbers are given out in the order of the calls, and a server begins the oldest call that it
//! finds: see [`order`](super::order).

use super::slots::{Slot, Slots};
use super::state::{NUMBERS, State};
use crate::channel::queue::tell;
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::ParticipantId;
use crate::wait::{CLOSED, Stop};

/// Slots in a word of `waiting`.
pub(super) const BITS: usize = 64;

/// The words of a call.
#[derive(Clone, Copy)]
pub(super) struct CallWords<'a> {
    /// Servers sleep on it.
    pub(super) arrivals: &'a AtomicU64,
    /// Clients sleep on it that find no free slot.
    pub(super) departures: &'a AtomicU64,
    /// The number of the next call.
    pub(super) next: &'a AtomicU64,
    /// A bit for each slot: its request may wait for a server.
    pub(super) waiting: &'a [AtomicU64],
    pub(super) slots: Slots<'a>,
}

/// A call, as its client knows it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) slot: usize,
    pub(super) number: u64,
    /// How many responses it has copied.
    pub(super) taken: u64,
    /// It uses the slot no more.
    pub(super) is_over: bool,
}

/// A request, as its server knows it.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) slot: usize,
    pub(super) number: u64,
    /// How many responses it has written.
    pub(super) sent: u64,
}

/// What a client finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A response, and whether it is the last one.
    Response { is_last: bool },
    /// No more responses follow.
    Ended,
    /// The server ended the request without an answer.
    Refused,
    /// `answer` has this value, which says nothing new.
    Pending(u64),
    /// The object was retired.
    Closed,
}

/// Whether there is room for another response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    There,
    /// The client does not wait any more.
    GivenUp,
    /// `taken` has this value.
    Pending(u64),
    Closed,
}

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The object was retired.
    Closed,
    TimedOut,
    /// The wait was stopped.
    Stopped(Stop),
    /// This participant lost its slot, or the words are of another call.
    Lost,
    /// The words have values that no participant writes.
    Corrupt,
    /// Other processes were faster each time.
    Busy,
    /// The participant on the other side died.
    Died(ParticipantId),
    /// The client does not wait for the answer any more.
    GivenUp,
}

impl<'a> CallWords<'a> {
    #[inline(always)]
    pub(super) fn is_closed(self) -> bool {
        // ORDERING: Acquire; pairs with the exchange that closes the word.
        self.arrivals.load(Ordering::Acquire) & CLOSED != 0
    }

    pub(super) fn slot(self, index: usize) -> Result<Slot<'a>, Failure> {
        self.slots.get(index).ok_or(Failure::Corrupt)
    }

    /// Sends a request, if a slot is free. `hint` is the slot that the client used last.
    #[inline(always)]
    pub(super) fn ask(
        self,
        me: ParticipantId,
        hint: &AtomicU64,
        request: &[u8],
    ) -> Result<Option<Asked>, Failure> {
        if self.is_closed() {
            return Err(Failure::Closed);
        }
        let Some((index, slot)) = self.claim(me, hint) else { return Ok(None) };
        // CRASH: dying from here on leaves the slot WRITING: a sweep frees it.
        crash_point!("call: slot in writing");
        // ORDERING: Relaxed; it only counts. The exchange of the state publishes the number.
        let number = self.next.fetch_add(1, Ordering::Relaxed) % NUMBERS;
        slot.begin(me, number);
        slot.request().write(request);
        crash_point!("call: request written, not ready");
        let ready = slot.exchange(State::Writing(me), State::Ready(number));
        ready.map_err(|_| Failure::Lost)?;
        // CRASH: dying from here on leaves a request without a client: a server that meets it, or
        // a sweep, drops it.
        crash_point!("call: ready, not announced");
        self.announce(index);
        crash_point!("call: announced, nobody told");
        tell(self.arrivals);
        Ok(Some(Asked { slot: index, number, taken: 0, is_over: false }))
    }

    /// Claims a free slot for `me`: the one that it used last, or else any.
    #[inline(always)]
    fn claim(self, me: ParticipantId, hint: &AtomicU64) -> Option<(usize, Slot<'a>)> {
        let count = self.slots.count();
        // ORDERING: Relaxed; a hint.
        let mut index = hint.load(Ordering::Relaxed) as usize;
        if index >= count {
            index %= count;
        }
        for turn in 0..count {
            let slot = self.slots.get(index)?;
            // The first one is not looked at before: that would fetch its line twice.
            let may_be_free = turn == 0 || slot.word() == State::Free.to_bits();
            if may_be_free && slot.exchange(State::Free, State::Writing(me)).is_ok() {
                // ORDERING: Relaxed; as above.
                hint.store(index as u64, Ordering::Relaxed);
                return Some((index, slot));
            }
            index = if index + 1 == count { 0 } else { index + 1 };
        }
        None
    }

    #[inline(always)]
    fn announce(self, index: usize) {
        if let Some(word) = self.waiting.get(index / BITS) {
            // ORDERING: SeqCst; as Release it pairs with the Acquire in `each_waiting`. Release
            // would be too weak for a waiting server: see `waiting`.
            word.fetch_or(1 << (index % BITS), Ordering::SeqCst);
        }
    }

    #[inline(always)]
    pub(super) fn retract(self, index: usize) {
        if let Some(word) = self.waiting.get(index / BITS) {
            // ORDERING: Relaxed; the caller has the slot, and its next state is released after
            // this by an exchange.
            word.fetch_and(!(1 << (index % BITS)), Ordering::Relaxed);
        }
    }

    /// Whether a request may wait.
    #[inline(always)]
    pub(super) fn has_announced(self) -> bool {
        // ORDERING: Relaxed; a hint: each look that finds something loads them again.
        self.waiting.iter().any(|word| word.load(Ordering::Relaxed) != 0)
    }

    /// Calls `each` with the number and the slot of each request that waits.
    #[inline(always)]
    pub(super) fn each_waiting(self, mut each: impl FnMut(u64, usize)) {
        for (place, word) in self.waiting.iter().enumerate() {
            // ORDERING: Acquire; pairs with `announce`: the slot is seen READY.
            let mut bits = word.load(Ordering::Acquire);
            while bits != 0 {
                let index = place * BITS + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let slot = self.slots.get(index);
                if let Some(State::Ready(number)) = slot.and_then(Slot::state) {
                    each(number, index);
                }
            }
        }
    }

    /// How many requests were sent, modulo [`NUMBERS`].
    pub(super) fn requests(self) -> u64 {
        // ORDERING: Relaxed; only shown to people.
        self.next.load(Ordering::Relaxed) % NUMBERS
    }
}
