//! The client's steps once it has asked: it receives responses, frees the slot, or gives up.

use super::answering::tell_client;
use super::protocol::{Answer, Asked, CallWords, Failure};
use super::slots::advance;
use super::state::{COUNTS, Progress, State};
use crate::channel::queue::tell;
use crate::memory::atomic::Ordering;
use crate::participant::{Liveness, ParticipantId};
use crate::wait::CLOSED;

/// How often a call is given up again because the server changed its state meanwhile.
const TRIES: u32 = 16;

impl CallWords<'_> {
    /// Looks for the next response.
    #[inline(always)]
    pub(super) fn look(self, asked: &Asked) -> Result<Answer, Failure> {
        // ORDERING: Acquire; pairs with the change in `advance`: the response is seen too.
        let seen = self.slot(asked.slot)?.answer().load(Ordering::Acquire);
        let said = Progress::from_bits(seen);
        let there = said.count.wrapping_sub(asked.taken) % COUNTS;
        if said.number != asked.number || there > self.slots.parts() {
            return Err(Failure::Corrupt);
        }
        Ok(match there {
            1.. => Answer::Response { is_last: there == 1 && said.is_end && !said.is_refused },
            0 if said.is_refused => Answer::Refused,
            0 if said.is_end => Answer::Ended,
            0 if seen & CLOSED != 0 => Answer::Closed,
            0 => Answer::Pending(seen),
        })
    }

    /// The client has copied a response: it makes room for the next one, or frees the slot.
    #[inline(always)]
    pub(super) fn took(self, asked: &mut Asked, is_last: bool) -> Result<(), Failure> {
        asked.taken += 1;
        if is_last {
            return self.release(asked);
        }
        // CRASH: dying before this, a server that waits for room finds the death.
        crash_point!("call: response copied, room not made");
        let slot = self.slot(asked.slot)?;
        match advance(slot.taken(), asked.number, |said| Some(said.with_one_more())) {
            true => Ok(()),
            false => Err(Failure::Lost),
        }
    }

    /// Frees the slot of a call that its server ended.
    #[inline(always)]
    pub(super) fn release(self, asked: &mut Asked) -> Result<(), Failure> {
        asked.is_over = true;
        let (slot, number) = (self.slot(asked.slot)?, asked.number);
        for state in [State::Answered(number), State::Finished(number), State::Refused(number)] {
            if slot.exchange(state, State::Free).is_ok() {
                // CRASH: dying here wakes nobody: clients that wait for a slot look again.
                crash_point!("call: slot free, nobody told");
                tell(self.departures);
                return Ok(());
            }
        }
        Err(Failure::Lost)
    }

    /// The client waits no more: the request is taken back, or left to the server that has it.
    #[cold]
    pub(super) fn give_up(self, me: ParticipantId, asked: &mut Asked) {
        asked.is_over = true;
        let Some(slot) = self.slots.get(asked.slot) else { return };
        for _ in 0..TRIES {
            let Some(state) = slot.state() else { return };
            match state {
                State::Ready(number) if number == asked.number => {
                    if slot.exchange(state, State::Writing(me)).is_err() {
                        continue;
                    }
                    crash_point!("call: taken back, still announced");
                    self.retract(asked.slot);
                    if slot.exchange(State::Writing(me), State::Free).is_ok() {
                        tell(self.departures);
                    }
                    return;
                }
                State::Begun(server) => {
                    if slot.exchange(state, State::GivenUp(server)).is_err() {
                        continue;
                    }
                    // CRASH: dying here, a server that waits for room finds the death.
                    crash_point!("call: given up, server not told");
                    let end = |said: Progress| (!said.is_end).then_some(given_up(said));
                    advance(slot.taken(), asked.number, end);
                    return;
                }
                _ => {
                    let _ = self.release(asked);
                    return;
                }
            }
        }
    }

    /// Looks, for a client that found nothing, at what no wake reports: the death of the server, or
    /// an end that it could not tell any more. Returns the server if it died.
    #[cold]
    pub(super) fn check_server(
        self,
        asked: &Asked,
        liveness: &impl Liveness,
    ) -> Option<ParticipantId> {
        let server = self.find_dead_server(asked, liveness)?;
        let slot = self.slots.get(asked.slot)?;
        slot.exchange(State::Begun(server), State::Free).ok()?;
        tell(self.departures);
        Some(server)
    }

    /// The same for a thread that leaves the report to the client.
    #[cold]
    pub(super) fn find_dead_server(
        self,
        asked: &Asked,
        liveness: &impl Liveness,
    ) -> Option<ParticipantId> {
        let slot = self.slots.get(asked.slot)?;
        let state = slot.state()?;
        match state {
            State::Begun(server) if liveness.reap_if_dead(server) => {
                // What it announced before it died is received first.
                matches!(self.look(asked), Ok(Answer::Pending(_))).then_some(server)
            }
            State::Answered(number) | State::Finished(number) | State::Refused(number) => {
                tell_client(slot, number, state);
                None
            }
            _ => None,
        }
    }

    /// The server that has the request of a call, if one has.
    pub(super) fn server_of(self, asked: &Asked) -> Option<ParticipantId> {
        match self.slots.get(asked.slot)?.state()? {
            State::Begun(server) => Some(server),
            _ => None,
        }
    }
}

/// What `taken` says once the client waits no more.
fn given_up(said: Progress) -> Progress {
    Progress { is_end: true, ..said }
}
