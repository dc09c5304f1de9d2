//! Waiting for a call together with other things.

use std::sync::{Arc, Weak};

use super::any::{AnyClient, AnyPending, AnyRequest, AnyServer};
use super::asking::{AskedCall, Asker};
use super::client::CallClient;
use super::handle::Handle;
use super::pending::Pending;
use super::protocol::{Answer, CallWords, Failure, Room};
use super::request::Request;
use super::server::CallServer;
use super::serving::{BegunCall, Server};
use super::shown::Shown;
use super::waiting::{poll, wake_next};
use crate::channel::message::Message;
use crate::object::Watched;
use crate::participant::{Liveness, ParticipantId};
use crate::sys::notices::ObjectNotices;
use crate::wait::{Extent, Poll, Readiness, SleepTicket, Source, Until, WaitWord, Waitable};

/// One side of a call: a client that waits for a free slot, or a server.
struct SideSource {
    handle: Arc<Handle>,
    watched: Watched,
    side: Side,
}

#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
}

impl SideSource {
    /// The word on which this side sleeps.
    fn word<'a>(&self, call: CallWords<'a>) -> WaitWord<'a> {
        WaitWord::new(match self.side {
            Side::Client => call.departures,
            Side::Server => call.arrivals,
        })
    }

    /// Whether there is something for this side: also the end of the call.
    fn has_something(&self, call: CallWords<'_>) -> bool {
        call.is_closed()
            || match self.side {
                Side::Client => call.has_free_slot(),
                Side::Server => call.has_request(),
            }
    }
}

impl Source for SideSource {
    fn poll(&self, sleeps: bool) -> Readiness<'_> {
        if let Some(decided) = self.watched.decided() {
            return decided;
        }
        let call = self.handle.call();
        let until = if sleeps { Until::Ever } else { Until::Now };
        let look = || Ok::<_, Failure>(self.has_something(call).then_some(()));
        match poll(self.word(call), until, look) {
            Poll::Ready(_) => Readiness::Ready,
            Poll::Pending(ticket) | Poll::Reserved(ticket) => Readiness::Pending(ticket),
        }
    }

    fn check(&self, extent: Extent<'_>) -> bool {
        self.handle.call().sweep(extent, self.watched.object());
        self.watched.check_removed() || matches!(self.poll(false), Readiness::Ready)
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.watched.notices()
    }

    fn pass_wake_on(&self) {
        let call = self.handle.call();
        wake_next(self.word(call), || self.has_something(call));
    }
}

impl Asker {
    /// A source that is ready when a slot is free.
    pub(super) fn source(&self) -> Arc<dyn Source> {
        let (handle, watched) = self.party.watched();
        Arc::new(SideSource { handle, watched, side: Side::Client })
    }
}

impl Server {
    /// A source that is ready when there is a request.
    pub(super) fn source(&self) -> Arc<dyn Source> {
        let (handle, watched) = self.party.watched();
        Arc::new(SideSource { handle, watched, side: Side::Server })
    }
}

/// A call that was sent: its next response, or its end.
struct AnswerSource {
    handle: Arc<Handle>,
    watched: Watched,
    shown: Weak<Shown>,
}

impl Source for AnswerSource {
    fn poll(&self, _sleeps: bool) -> Readiness<'_> {
        if let Some(decided) = self.watched.decided() {
            return decided;
        }
        let Some(shown) = self.shown.upgrade() else { return Readiness::Never };
        let (asked, call) = (shown.asked(), self.handle.call());
        if asked.is_over || shown.was_found() {
            return Readiness::Ready;
        }
        match (call.look(&asked), call.slots.get(asked.slot)) {
            (Ok(Answer::Pending(seen)), Some(slot)) => {
                Readiness::Pending(SleepTicket::new(slot.answer(), seen))
            }
            _ => Readiness::Ready,
        }
    }

    fn check(&self, _extent: Extent<'_>) -> bool {
        let Some(shown) = self.shown.upgrade() else { return false };
        let (asked, object) = (shown.asked(), self.watched.object());
        let has_died = || self.handle.call().find_dead_server(&asked, object).is_some();
        if self.watched.check_removed() || !asked.is_over && has_died() {
            shown.is_found();
        }
        matches!(self.poll(false), Readiness::Ready)
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.watched.notices()
    }
}

impl AskedCall<'_> {
    /// A source that is ready when there is a response, or when none follows.
    pub(super) fn source(&self) -> Arc<dyn Source> {
        let (handle, watched, shown) = self.watched();
        Arc::new(AnswerSource { handle, watched, shown: Arc::downgrade(&shown) })
    }
}

/// A request that a server has: room for the next response.
struct RoomSource {
    handle: Arc<Handle>,
    watched: Watched,
    me: ParticipantId,
    client: Option<ParticipantId>,
    shown: Weak<Shown>,
}

impl Source for RoomSource {
    fn poll(&self, _sleeps: bool) -> Readiness<'_> {
        if let Some(decided) = self.watched.decided() {
            return decided;
        }
        let Some(shown) = self.shown.upgrade() else { return Readiness::Never };
        let (begun, call) = (shown.begun(), self.handle.call());
        match (call.room(&begun), call.slots.get(begun.slot)) {
            (Ok(Room::Pending(seen)), Some(slot)) if !shown.was_found() => {
                Readiness::Pending(SleepTicket::new(slot.taken(), seen))
            }
            _ => Readiness::Ready,
        }
    }

    fn check(&self, _extent: Extent<'_>) -> bool {
        let Some(shown) = self.shown.upgrade() else { return false };
        let has_died = self.client.is_some_and(|it| self.watched.object().reap_if_dead(it));
        // It gave up, and died before it could tell.
        let is_given_up = || self.handle.call().is_given_up(self.me, &shown.begun());
        if self.watched.check_removed() || has_died || is_given_up() {
            shown.is_found();
        }
        matches!(self.poll(false), Readiness::Ready)
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.watched.notices()
    }
}

impl BegunCall<'_> {
    /// A source that is ready when there is room for the next response.
    pub(super) fn source(&self) -> Arc<dyn Source> {
        let (handle, watched, shown, client) = self.watched();
        let (me, shown) = (self.me(), Arc::downgrade(&shown));
        Arc::new(RoomSource { handle, watched, me, client, shown })
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<Req: Message + ?Sized, Resp: Message + ?Sized> Waitable for CallClient<Req, Resp> {
    fn source(&self) -> Arc<dyn Source> {
        self.asker.source()
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<Req: Message + ?Sized, Resp: Message + ?Sized> Waitable for CallServer<Req, Resp> {
    fn source(&self) -> Arc<dyn Source> {
        self.server.source()
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<Resp: Message + ?Sized> Waitable for Pending<'_, Resp> {
    fn source(&self) -> Arc<dyn Source> {
        self.call.source()
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for AnyClient {
    fn source(&self) -> Arc<dyn Source> {
        self.asker.source()
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for AnyServer {
    fn source(&self) -> Arc<dyn Source> {
        self.server.source()
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for AnyPending<'_> {
    fn source(&self) -> Arc<dyn Source> {
        self.call.source()
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<Req, Resp: Message + ?Sized> Waitable for Request<'_, Req, Resp> {
    fn source(&self) -> Arc<dyn Source> {
        self.call.source()
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for AnyRequest<'_> {
    fn source(&self) -> Arc<dyn Source> {
        self.call.source()
    }
}
