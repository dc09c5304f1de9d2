//! A request in the hands of its server.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::serving::BegunCall;
use crate::channel::message::Message;
use crate::channel::sent::with_bytes;
use crate::error::{Peer, Result};
use crate::wait::Until;

/// A request that a server has begun, until it is answered.
///
/// It dereferences to a private copy of the value. It is answered by [`respond`](Self::respond), or
/// by any number of [`respond_part`](Self::respond_part), and then [`finish`](Self::finish) or
/// `respond`. Dropping it without these tells the client `Refused`; so does a panic.
///
/// # If a process dies
///
/// If the server dies, the client is told `PeerDied`, after it received what was answered.
#[must_use = "dropping it refuses the request"]
pub struct Request<'a, Req, Resp: Message + ?Sized> {
    pub(super) call: BegunCall<'a>,
    value: Req,
    response: PhantomData<fn(&Resp)>,
}

impl<'a, Req, Resp: Message + ?Sized> Request<'a, Req, Resp> {
    #[inline(always)]
    pub(super) fn new(call: BegunCall<'a>, value: Req) -> Self {
        Self { call, value, response: PhantomData }
    }

    /// Answers with this response, the last one, and ends the request.
    ///
    /// # If a process dies
    ///
    /// The client receives the response whole, or not at all. It receives it although this process
    /// dies right after.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` if the client does not wait for the answer any more; `InvalidArgument` for a
    /// list with more elements than [`Call::max_response_len`](super::Call::max_response_len): the
    /// client is told `Refused`; `RoleLost` if this process
    /// closed the descriptor of its liveness lock; `Forked` in a child that inherited the request.
    /// If earlier responses fill the room for them: `PeerDied` if the client died meanwhile;
    /// `Closed`.
    #[inline]
    pub fn respond(self, response: &Resp) -> Result<()> {
        self.check_len(response)?;
        with_bytes(response, |bytes| self.call.respond(bytes))
    }

    /// Answers with this response, after which others can follow. If the client has not read
    /// earlier ones, it waits for room: see [`Options::parts`](crate::Options::parts).
    ///
    /// # Errors
    ///
    /// Those of [`respond`](Self::respond).
    #[inline]
    pub fn respond_part(&mut self, response: &Resp) -> Result<()> {
        self.respond_part_within(response, || Until::Ever)
    }

    /// The same, but does not wait for room.
    ///
    /// # Errors
    ///
    /// `Full` if there is no room, with the client as [`peer`](crate::Error::peer): the response
    /// was not sent. And those of [`respond`](Self::respond).
    pub fn try_respond_part(&mut self, response: &Resp) -> Result<()> {
        self.respond_part_within(response, || Until::Now)
    }

    /// The same, but waits for room up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with the client as [`peer`](crate::Error::peer): the response was not sent. And
    /// those of [`respond`](Self::respond).
    pub fn respond_part_timeout(&mut self, response: &Resp, timeout: Duration) -> Result<()> {
        self.respond_part_within(response, || Until::after(timeout))
    }

    /// The same, but waits for room until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`respond_part_timeout`](Self::respond_part_timeout).
    pub fn respond_part_until(&mut self, response: &Resp, deadline: Instant) -> Result<()> {
        self.respond_part_within(response, || Until::Deadline(deadline))
    }

    fn respond_part_within(
        &mut self,
        response: &Resp,
        until: impl FnOnce() -> Until,
    ) -> Result<()> {
        self.check_len(response)?;
        with_bytes(response, |bytes| self.call.respond_part(bytes, until))
    }

    #[inline(always)]
    fn check_len(&self, response: &Resp) -> Result<()> {
        if Resp::MAX_LEN == 0 { Ok(()) } else { self.call.check_len(response.elements().len()) }
    }

    /// Ends the request: no response follows.
    ///
    /// # Errors
    ///
    /// Those of [`respond`](Self::respond), without waiting.
    pub fn finish(self) -> Result<()> {
        self.call.finish()
    }

    /// Ends the request without an answer, as dropping it does: the client gets `Refused`.
    pub fn refuse(self) {}

    /// Returns whether the client does not wait for the answer any more: it gave the request up, it
    /// died, or the object was removed.
    ///
    /// A death is found on a death notice, or else within 25 ms if this is called as often.
    pub fn is_cancelled(&self) -> bool {
        self.call.is_given_up()
    }

    /// Returns the client: its slot, its process and its program. None if it recorded none.
    pub fn client(&self) -> Option<Peer> {
        self.call.client()
    }

    /// Returns the number of the request, which no other request to this object has. Later requests
    /// have larger ones.
    pub fn number(&self) -> u64 {
        self.call.number()
    }
}

impl<Req, Resp: Message + ?Sized> Deref for Request<'_, Req, Resp> {
    type Target = Req;

    #[inline]
    fn deref(&self) -> &Req {
        &self.value
    }
}

/// The private copy can be changed: the request of the client cannot.
impl<Req, Resp: Message + ?Sized> DerefMut for Request<'_, Req, Resp> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Req {
        &mut self.value
    }
}

impl<Req: fmt::Debug, Resp: Message + ?Sized> fmt::Debug for Request<'_, Req, Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("value", &self.value)
            .field("number", &self.number())
            .finish_non_exhaustive()
    }
}
