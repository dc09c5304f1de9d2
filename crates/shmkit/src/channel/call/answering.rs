//! The server's steps: it begins a request, writes responses, and ends it.

use super::protocol::{Begun, CallWords, Failure, Room};
use super::slots::{Slot, advance};
use super::state::{COUNTS, Progress, State};
use crate::channel::queue::tell;
use crate::memory::atomic::Ordering;
use crate::participant::ParticipantId;
use crate::wait::CLOSED;

impl CallWords<'_> {
    /// Begins a request. `None`: another server was faster, or it was given up.
    #[inline(always)]
    pub(super) fn begin(self, me: ParticipantId, number: u64, index: usize) -> Option<Begun> {
        let slot = self.slots.get(index)?;
        slot.exchange(State::Ready(number), State::Begun(me)).ok()?;
        // CRASH: dying from here on leaves the slot BEGUN: its client frees it, and reports the
        // death. The bit stays set, which costs servers a look.
        crash_point!("call: begun, still announced");
        self.retract(index);
        crash_point!("call: begun, not handed over");
        Some(Begun { slot: index, number, sent: 0 })
    }

    /// Whether `me` still has the request, after a copy of it.
    pub(super) fn is_begun_by(self, me: ParticipantId, begun: &Begun) -> bool {
        let state = self.slots.get(begun.slot).and_then(Slot::state);
        matches!(state, Some(State::Begun(it) | State::GivenUp(it)) if it == me)
    }

    /// Whether the client of a request of `me` has given it up.
    pub(super) fn is_given_up(self, me: ParticipantId, begun: &Begun) -> bool {
        let slot = self.slots.get(begun.slot);
        slot.and_then(Slot::state) != Some(State::Begun(me))
    }

    /// Looks for room for another response.
    pub(super) fn room(self, begun: &Begun) -> Result<Room, Failure> {
        // ORDERING: Acquire; pairs with the change in `took`: the client has copied what it took.
        let seen = self.slot(begun.slot)?.taken().load(Ordering::Acquire);
        let said = Progress::from_bits(seen);
        let there = begun.sent.wrapping_sub(said.count) % COUNTS;
        Ok(match said.number == begun.number && there <= self.slots.parts() {
            false => return Err(Failure::Corrupt),
            true if said.is_end => Room::GivenUp,
            true if there < self.slots.parts() => Room::There,
            true if seen & CLOSED != 0 => Room::Closed,
            true => Room::Pending(seen),
        })
    }

    /// Writes a response for which there is room, and announces it. More can follow.
    pub(super) fn respond_part(self, begun: &mut Begun, response: &[u8]) -> Result<(), Failure> {
        let slot = self.slot(begun.slot)?;
        slot.response(begun.sent).write(response);
        // CRASH: dying here leaves a response that nobody sees.
        crash_point!("call: part written, not announced");
        let has_told = advance(slot.answer(), begun.number, |said| {
            (!said.is_end).then(|| said.with_one_more())
        });
        begun.sent += 1;
        crash_point!("call: part announced");
        if has_told { Ok(()) } else { Err(Failure::Corrupt) }
    }

    /// Writes the last response, for which there is room, and ends the request.
    #[inline(always)]
    pub(super) fn respond(
        self,
        me: ParticipantId,
        begun: &Begun,
        response: &[u8],
    ) -> Result<(), Failure> {
        self.slot(begun.slot)?.response(begun.sent).write(response);
        crash_point!("call: response written, not ended");
        self.end(me, begun, State::Answered(begun.number))
    }

    /// Ends a request in this state.
    #[inline(always)]
    pub(super) fn end(self, me: ParticipantId, begun: &Begun, state: State) -> Result<(), Failure> {
        let slot = self.slot(begun.slot)?;
        match slot.exchange(State::Begun(me), state) {
            Ok(()) => {
                // CRASH: dying here leaves a client that is not woken: it looks at the state on
                // the death notice.
                crash_point!("call: ended, client not told");
                tell_client(slot, begun.number, state);
                Ok(())
            }
            Err(_) => Err(self.end_given_up(me, slot)),
        }
    }

    #[cold]
    fn end_given_up(self, me: ParticipantId, slot: Slot<'_>) -> Failure {
        if slot.exchange(State::GivenUp(me), State::Free).is_err() {
            return Failure::Lost;
        }
        crash_point!("call: slot free, nobody told");
        tell(self.departures);
        Failure::GivenUp
    }

    /// Ends a request whose client is dead: nobody looks at the slot any more.
    #[cold]
    pub(super) fn drop_of_dead_client(self, me: ParticipantId, begun: &Begun) {
        let Some(slot) = self.slots.get(begun.slot) else { return };
        if slot.exchange(State::Begun(me), State::Free).is_ok() {
            tell(self.departures);
        } else {
            self.end_given_up(me, slot);
        }
    }
}

/// Says in `answer` how the server ended the call, if that does not say so yet. The server does
/// this, or the client if the server died before.
#[inline(always)]
pub(super) fn tell_client(slot: Slot<'_>, number: u64, state: State) {
    advance(slot.answer(), number, |said| {
        let ended = match state {
            State::Answered(_) => said.with_one_more(),
            _ => said,
        };
        let is_refused = matches!(state, State::Refused(_));
        (!said.is_end).then_some(Progress { is_end: true, is_refused, ..ended })
    });
}
