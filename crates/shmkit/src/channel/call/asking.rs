//! The client's side, for requests and responses as bytes.

use std::sync::Arc;
use std::task::Poll;

use super::handle::Handle;
use super::party::Party;
use super::protocol::{Answer, Asked, Failure};
use super::shown::{Showing, Shown};
use super::slots::InSlot;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::AtomicU64;
use crate::object::Watched;
use crate::participant::Role;
use crate::wait::Until;

/// A client.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) party: Party,
    /// The slot that it used last.
    hint: AtomicU64,
}

impl Asker {
    pub(super) fn join(handle: &Arc<Handle>) -> Result<Self> {
        let party = Party::join(handle, Role::Client, handle.geometry.response_bytes, "call")?;
        // Clients begin at different slots.
        let hint = AtomicU64::new(party.membership.me().slot().into());
        Ok(Self { party, hint })
    }

    /// Sends a request, and waits for a free slot as long as `until` says.
    #[inline(always)]
    pub(super) fn ask(
        &self,
        request: &[u8],
        until: impl FnOnce() -> Until,
    ) -> Result<AskedCall<'_>> {
        let party = &self.party;
        party.membership.check_live()?;
        match party.handle.call().ask(party.membership.me(), &self.hint, request) {
            Ok(Some(asked)) => Ok(AskedCall::new(party, asked)),
            Ok(None) => self.wait_for_slot(request, until()),
            Err(failure) => Err(party.failure(failure)),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_for_slot(&self, request: &[u8], until: Until) -> Result<AskedCall<'_>> {
        let party = &self.party;
        let _recorded = party.record_wait(until);
        let call = party.handle.call();
        match call.ask_within(party.for_room(), &self.hint, request, until) {
            Ok(asked) => Ok(AskedCall::new(party, asked)),
            Err(Failure::TimedOut) => {
                let kind = if until == Until::Now { ErrorKind::Full } else { ErrorKind::TimedOut };
                Err(party.failed(kind, party.handle.full()))
            }
            Err(failure) => Err(party.failure(failure)),
        }
    }
}

/// A request that was sent. Dropping it gives the call up, unless that is over.
#[derive(Debug)]
pub(super) struct AskedCall<'a> {
    party: &'a Party,
    asked: Asked,
    /// What its sources see of it, once it has some.
    shown: Showing,
}

impl<'a> AskedCall<'a> {
    #[inline(always)]
    fn new(party: &'a Party, asked: Asked) -> Self {
        Self { party, asked, shown: Showing::default() }
    }

    /// What a source needs.
    pub(super) fn watched(&self) -> (Arc<Handle>, Watched, Arc<Shown>) {
        let Party { handle, membership, .. } = self.party;
        let Asked { slot, number, taken, is_over } = self.asked;
        let shown = self.shown.of(slot, number);
        shown.show(taken, is_over);
        (handle.clone(), shown.watched(&handle.object, membership.me()), shown)
    }

    /// Whether the call is over.
    pub(super) fn is_over(&self) -> bool {
        self.asked.is_over
    }

    /// Waits for the next response as long as `until` says, and returns what `read` makes of it:
    /// `None` after the last one. If there is no memory for it, it stays.
    #[inline(always)]
    pub(super) fn next<R>(
        &mut self,
        until: impl FnOnce() -> Until,
        read: impl FnOnce(InSlot<'_>) -> Result<R>,
    ) -> Result<Option<R>> {
        match self.attempt(until, read)? {
            Poll::Ready(response) => Ok(response),
            Poll::Pending => Err(self.timed_out()),
        }
    }

    /// The same. `Pending`: the time is over.
    #[inline(always)]
    pub(super) fn attempt<R>(
        &mut self,
        until: impl FnOnce() -> Until,
        read: impl FnOnce(InSlot<'_>) -> Result<R>,
    ) -> Result<Poll<Option<R>>> {
        let party = self.party;
        if !party.membership.has_slot() {
            return Err(party.lost());
        }
        if self.asked.is_over {
            return Ok(Poll::Ready(None));
        }
        let call = party.handle.call();
        let response = match call.look(&self.asked) {
            Ok(Answer::Response { is_last }) => self.take(is_last, read).map(Some),
            _ => match self.wait(until()) {
                Ok(Answer::Response { is_last }) => self.take(is_last, read).map(Some),
                Ok(answer) => self.ended(answer),
                Err(Failure::TimedOut) => return Ok(Poll::Pending),
                Err(failure) => Err(self.failed(failure)),
            },
        };
        self.shown.show(self.asked.taken, self.asked.is_over);
        response.map(Poll::Ready)
    }

    #[inline(always)]
    fn wait(&self, until: Until) -> Result<Answer, Failure> {
        let party = self.party;
        if until == Until::Now && self.shown.was_found() {
            party.wait_loop.forget_check();
        }
        let mut recorded = None;
        let mut spun = || _ = recorded.get_or_insert_with(|| party.record_wait(until));
        party.handle.call().answer_within(party.caller(), &self.asked, until, &mut spun)
    }

    /// Reads a response, and makes room for the next one.
    #[inline(always)]
    fn take<R>(&mut self, is_last: bool, read: impl FnOnce(InSlot<'_>) -> Result<R>) -> Result<R> {
        let call = self.party.handle.call();
        let Some(slot) = call.slots.get(self.asked.slot) else {
            return Err(self.party.failure(Failure::Corrupt));
        };
        let value = read(slot.response(self.asked.taken).read());
        let value = value.map_err(|error| self.party.named(error));
        if value.as_ref().is_err_and(|error| error.kind() == ErrorKind::OutOfSpace) {
            return value;
        }
        // What was copied is a response to this call if the slot still says so.
        match call.took(&mut self.asked, is_last) {
            Ok(()) => value,
            Err(failure) => {
                self.asked.is_over = true;
                Err(self.party.failure(failure))
            }
        }
    }

    /// The server ended the call.
    #[cold]
    fn ended<R>(&mut self, answer: Answer) -> Result<Option<R>> {
        let party = self.party;
        let released = party.handle.call().release(&mut self.asked);
        released.map_err(|failure| party.failure(failure))?;
        match answer {
            Answer::Refused => Err(self.refused()),
            _ => Ok(None),
        }
    }

    #[cold]
    pub(super) fn refused(&self) -> Error {
        let why = match self.asked.taken {
            0 => "the server ended the request without an answer",
            _ => "the server ended the request before the answer was complete",
        };
        self.party.failed(ErrorKind::Refused, why)
    }

    #[cold]
    fn failed(&mut self, failure: Failure) -> Error {
        let party = self.party;
        match failure {
            // Its slot is free by now.
            Failure::Died(_) | Failure::Lost | Failure::Corrupt => {
                self.asked.is_over = true;
                party.failure(failure)
            }
            failure => party.failure(failure),
        }
    }

    #[cold]
    fn timed_out(&self) -> Error {
        let (party, handle) = (self.party, &self.party.handle);
        match handle.call().server_of(&self.asked) {
            Some(server) => {
                let why = "has the request, and did not answer before the timeout expired";
                party.failed(ErrorKind::TimedOut, why).by_peer(handle.object.peer(server))
            }
            None => {
                let servers = handle.servers();
                let why =
                    format!("no server began the request before the timeout expired: {servers}");
                party.failed(ErrorKind::TimedOut, why)
            }
        }
    }

    /// Gives the call up.
    #[cold]
    pub(super) fn give_up(&mut self) {
        let party = self.party;
        if !self.asked.is_over && party.membership.has_slot() {
            party.handle.call().give_up(party.membership.me(), &mut self.asked);
        }
    }
}

impl Drop for AskedCall<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.asked.is_over {
            self.give_up();
        }
    }
}
