//! The server's side, for requests and responses as bytes.

use std::sync::Arc;

use super::handle::Handle;
use super::order::Order;
use super::party::Party;
use super::protocol::{Begun, Failure, Room};
use super::shown::{Showing, Shown};
use super::slots::InSlot;
use super::state::State;
use crate::channel::message::check_len;
use crate::error::{ErrorKind, Peer, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::object::Watched;
use crate::participant::{Liveness, ParticipantId, Role};
use crate::wait::Until;

/// How many requests that were there already a server begins before it looks again for those of
/// dead clients.
const LOOKS_EVERY: u64 = 16;

/// A server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) party: Party,
    order: Order,
    /// How many requests were there when it looked.
    found: AtomicU64,
}

impl Server {
    pub(super) fn join(handle: &Arc<Handle>) -> Result<Self> {
        let party = Party::join(handle, Role::Server, handle.geometry.request_bytes, "serve")?;
        let order = Order::for_slots(handle.geometry.slots as usize);
        Ok(Self { party, order, found: AtomicU64::new(0) })
    }

    /// Begins the oldest request, and waits for one as long as `until` says. Returns it with what
    /// `read` makes of it.
    #[inline(always)]
    pub(super) fn begin<R>(
        &self,
        until: impl FnOnce() -> Until,
        read: impl FnOnce(InSlot<'_>) -> Result<R>,
    ) -> Result<(BegunCall<'_>, R)> {
        let party = &self.party;
        party.membership.check_live()?;
        let (call, me) = (party.handle.call(), party.membership.me());
        let begun = match self.look(me) {
            Ok(Some(begun)) => begun,
            Ok(None) => self.wait(until())?,
            Err(failure) => return Err(party.failure(failure)),
        };
        let Some(slot) = call.slots.get(begun.slot) else {
            return Err(party.failure(Failure::Corrupt));
        };
        let client = slot.client();
        let shown = Showing::default();
        let request = BegunCall { server: self, begun, client, is_over: false, shown };
        let value = read(slot.request().read()).map_err(|error| party.named(error));
        // What was copied is this request if the slot still says so.
        if !call.is_begun_by(me, &request.begun) {
            return Err(party.lost());
        }
        // If the value is an error, the request is dropped here: its client is told.
        Ok((request, value?))
    }

    #[inline(always)]
    fn look(&self, me: ParticipantId) -> Result<Option<Begun>, Failure> {
        let call = self.party.handle.call();
        if call.is_closed() {
            return Err(Failure::Closed);
        }
        if !call.has_announced() {
            return Ok(None);
        }
        // ORDERING: Relaxed; a count that may be wrong if several threads count.
        let found = self.found.load(Ordering::Relaxed);
        // ORDERING: Relaxed; as above.
        self.found.store(found.wrapping_add(1), Ordering::Relaxed);
        if found.is_multiple_of(LOOKS_EVERY) {
            self.look_for_the_dead();
        }
        self.order.begin(call, me)
    }

    #[cold]
    #[inline(never)]
    fn look_for_the_dead(&self) {
        let Party { membership, wait_loop, handle, .. } = &self.party;
        if let Some(extent) = wait_loop.take_due_check(membership.notices()) {
            handle.call().sweep(extent, membership);
        }
    }

    #[inline(always)]
    fn wait(&self, until: Until) -> Result<Begun> {
        let party = &self.party;
        let mut recorded = None;
        let mut spun = || _ = recorded.get_or_insert_with(|| party.record_wait(until));
        let (call, caller) = (party.handle.call(), party.caller());
        let begun = call.begin_within(caller, &self.order, until, &mut spun);
        begun.map_err(|failure| match failure {
            Failure::TimedOut => {
                let why = "no request was sent before the timeout expired";
                party.failed(ErrorKind::TimedOut, why)
            }
            failure => party.failure(failure),
        })
    }
}

/// A request that a server has. Dropping it refuses the request, unless it was ended.
#[derive(Debug)]
pub(super) struct BegunCall<'a> {
    server: &'a Server,
    begun: Begun,
    client: Option<ParticipantId>,
    is_over: bool,
    /// What its sources see of it, once it has some.
    shown: Showing,
}

impl BegunCall<'_> {
    fn party(&self) -> &Party {
        &self.server.party
    }

    pub(super) fn me(&self) -> ParticipantId {
        self.party().membership.me()
    }

    /// What a source needs, with the client.
    pub(super) fn watched(&self) -> (Arc<Handle>, Watched, Arc<Shown>, Option<ParticipantId>) {
        let handle = &self.party().handle;
        let shown = self.shown.of(self.begun.slot, self.begun.number);
        shown.show(self.begun.sent, self.is_over);
        (handle.clone(), shown.watched(&handle.object, self.me()), shown, self.client)
    }

    /// Refuses a response with more elements than there is room for.
    pub(super) fn check_len(&self, len: usize) -> Result<()> {
        let party = self.party();
        let checked = check_len(len, party.handle.geometry.response.max_len);
        checked.map_err(|error| error.doing("answer").on(party.handle.object.label()))
    }

    /// The number of the call.
    pub(super) fn number(&self) -> u64 {
        self.begun.number
    }

    /// The client.
    pub(super) fn client(&self) -> Option<Peer> {
        self.client.map(|id| self.party().handle.object.peer(id))
    }

    /// Whether the client does not wait for the answer any more, as far as that is known.
    pub(super) fn is_given_up(&self) -> bool {
        let party = self.party();
        if !party.membership.has_slot() {
            return true;
        }
        let call = party.handle.call();
        call.is_given_up(self.me(), &self.begun) || call.is_closed() || self.client_is_dead()
    }

    /// Asks whether the client is dead, if that is due.
    #[cold]
    fn client_is_dead(&self) -> bool {
        let membership = &self.party().membership;
        let Some(client) = self.client else { return false };
        // Without a system call, if a process has found it dead, or if it left.
        let has_left = !membership.object().participants().is_held(client);
        let asks = || self.party().room_loop.take_due_check(membership.notices()).is_some();
        has_left || asks() && membership.reap_if_dead(client)
    }

    /// Waits for room as long as `until` says, and writes a response after which others can follow.
    pub(super) fn respond_part(
        &mut self,
        response: &[u8],
        until: impl FnOnce() -> Until,
    ) -> Result<()> {
        self.wait_for_room(until)?;
        let call = self.server.party.handle.call();
        if call.is_given_up(self.me(), &self.begun) {
            return Err(self.party().failure(Failure::GivenUp));
        }
        let told = call.respond_part(&mut self.begun, response);
        self.shown.show(self.begun.sent, self.is_over);
        told.map_err(|failure| self.party().failure(failure))
    }

    /// Writes the last response, and ends the request.
    #[inline(always)]
    pub(super) fn respond(mut self, response: &[u8]) -> Result<()> {
        self.wait_for_room(|| Until::Ever)?;
        self.is_over = true;
        let party = self.party();
        let ended = party.handle.call().respond(self.me(), &self.begun, response);
        ended.map_err(|failure| party.failure(failure))
    }

    /// Ends the request: all responses are written.
    pub(super) fn finish(mut self) -> Result<()> {
        if !self.party().membership.has_slot() {
            return Err(self.party().lost());
        }
        self.end(State::Finished(self.begun.number))
            .map_err(|failure| self.party().failure(failure))
    }

    fn end(&mut self, state: State) -> Result<(), Failure> {
        self.is_over = true;
        self.party().handle.call().end(self.me(), &self.begun, state)
    }

    #[inline(always)]
    fn wait_for_room(&mut self, until: impl FnOnce() -> Until) -> Result<()> {
        let party = self.party();
        if !party.membership.has_slot() {
            return Err(party.lost());
        }
        // The first responses always have room.
        if self.begun.sent < party.handle.geometry.parts {
            return Ok(());
        }
        match party.handle.call().room(&self.begun) {
            Ok(Room::There) => Ok(()),
            _ => self.wait_for_room_slowly(until()),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_for_room_slowly(&mut self, until: Until) -> Result<()> {
        let party = &self.server.party;
        let (call, caller) = (party.handle.call(), party.for_room());
        if until == Until::Now && self.shown.was_found() {
            party.room_loop.forget_check();
        }
        let _recorded = party.record_wait(until);
        let waited = call.room_within(caller, &self.begun, self.client, until);
        waited.map_err(|failure| match failure {
            Failure::TimedOut => {
                let parts = party.handle.geometry.parts;
                let why = format!("has not read the oldest of {parts} responses");
                let kind = if until == Until::Now { ErrorKind::Full } else { ErrorKind::TimedOut };
                let error = party.failed(kind, why);
                match self.client {
                    Some(client) => error.by_peer(party.handle.object.peer(client)),
                    None => error,
                }
            }
            Failure::Died(_) => {
                self.is_over = true;
                call.drop_of_dead_client(caller.me, &self.begun);
                party.failure(failure)
            }
            failure => party.failure(failure),
        })
    }
}

impl Drop for BegunCall<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.is_over && self.party().membership.has_slot() {
            // It was refused, given up, or swept.
            let _ = self.end(State::Refused(self.begun.number));
        }
    }
}
