//! Sending requests.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::asking::Asker;
use super::handle::Handle;
use super::pending::Pending;
use crate::channel::message::{Message, check_len};
use crate::channel::sent::with_bytes;
use crate::error::Result;
use crate::participant::Role;
use crate::wait::Until;

/// The right to send requests to the servers of a [`Call`](super::Call), until it is dropped.
///
/// Threads can share a client, and have any number of requests in flight.
///
/// # If a process dies
///
/// If the server that has the request dies, the call returns `PeerDied`, with the server as
/// [`peer`](crate::Error::peer). Whether the server did what was asked is not known: a client that
/// asks again may have it done twice. A request that no server has begun is not affected: it goes
/// to the next server. If this process dies, its requests are dropped.
pub struct CallClient<Req: Message + ?Sized, Resp: Message + ?Sized> {
    pub(super) asker: Asker,
    types: PhantomData<fn(&Req, &Resp)>,
}

impl<Req: Message + ?Sized, Resp: Message + ?Sized> CallClient<Req, Resp> {
    pub(super) fn join(handle: &Arc<Handle>) -> Result<Self> {
        Ok(Self { asker: Asker::join(handle)?, types: PhantomData })
    }

    /// Sends a request, waits until it is answered, and returns the first response. If others could
    /// follow, it gives them up.
    ///
    /// It waits as long as it takes, also if there is no server yet.
    ///
    /// # Errors
    ///
    /// `PeerDied` if the server died, with the server; `Refused` if the server ended the request
    /// without an answer; `InvalidArgument` for a list with more elements than
    /// [`Call::max_request_len`](super::Call::max_request_len); `Closed` if the object was removed;
    /// `Corrupt` for bytes that are not a value of the type; `OutOfSpace` if there is no memory for
    /// a list; `Forked`; `RoleLost`; `Busy` if other processes were faster in each of many
    /// attempts.
    #[inline]
    pub fn call(&self, request: &Req) -> Result<Resp::Owned> {
        self.call_within(request, || Until::Ever)
    }

    /// Sends a request, and waits for the first response up to `timeout`: also for a free place, if
    /// there are too many requests. After an error the request is given up.
    ///
    /// # Errors
    ///
    /// `TimedOut`: the error has the server as [`peer`](crate::Error::peer) if one has the request,
    /// and otherwise says how many servers there are. And those of [`call`](Self::call).
    #[inline]
    pub fn call_timeout(&self, request: &Req, timeout: Duration) -> Result<Resp::Owned> {
        // The time begins now, for both waits.
        let until = Until::after(timeout);
        self.call_within(request, || until)
    }

    /// Sends a request, and waits for the first response until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`call_timeout`](Self::call_timeout).
    #[inline]
    pub fn call_until(&self, request: &Req, deadline: Instant) -> Result<Resp::Owned> {
        self.call_within(request, || Until::Deadline(deadline))
    }

    #[inline(always)]
    fn call_within(&self, request: &Req, until: impl Fn() -> Until) -> Result<Resp::Owned> {
        let mut pending = self.send_within(request, &until)?;
        match pending.receive(&until)? {
            Some(response) => Ok(response),
            None => Err(pending.refused()),
        }
    }

    /// Sends a request, and returns without waiting for the answer. While there are too many
    /// requests, it waits for a free place.
    ///
    /// # Errors
    ///
    /// `Closed`, `InvalidArgument`, `Forked`, `RoleLost`, `Busy`.
    #[inline]
    pub fn send(&self, request: &Req) -> Result<Pending<'_, Resp>> {
        self.send_within(request, || Until::Ever)
    }

    /// Sends a request if there is a free place.
    ///
    /// # Errors
    ///
    /// `Full`: the message says how many requests wait, are being answered, and are answered, and
    /// how many servers there are. And those of [`send`](Self::send).
    #[inline]
    pub fn try_send(&self, request: &Req) -> Result<Pending<'_, Resp>> {
        self.send_within(request, || Until::Now)
    }

    /// Sends a request, and waits up to `timeout` for a free place.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with what [`try_send`](Self::try_send) says; and those of [`send`](Self::send).
    #[inline]
    pub fn send_timeout(&self, request: &Req, timeout: Duration) -> Result<Pending<'_, Resp>> {
        self.send_within(request, || Until::after(timeout))
    }

    /// Sends a request, and waits until `deadline` on the monotonic clock for a free place.
    ///
    /// # Errors
    ///
    /// Those of [`send_timeout`](Self::send_timeout).
    #[inline]
    pub fn send_until(&self, request: &Req, deadline: Instant) -> Result<Pending<'_, Resp>> {
        self.send_within(request, || Until::Deadline(deadline))
    }

    #[inline(always)]
    fn send_within(
        &self,
        request: &Req,
        until: impl FnOnce() -> Until,
    ) -> Result<Pending<'_, Resp>> {
        if Req::MAX_LEN > 0 {
            self.check_len(request.elements().len())?;
        }
        with_bytes(request, |bytes| Ok(Pending::new(self.asker.ask(bytes, until)?)))
    }

    fn check_len(&self, len: usize) -> Result<()> {
        let party = &self.asker.party;
        let checked = check_len(len, party.handle.geometry.request.max_len);
        checked.map_err(|error| party.named(error))
    }

    /// Returns how many servers live. It costs a system call for each participant.
    ///
    /// # Errors
    ///
    /// `Closed`, `Forked`, `RoleLost`.
    pub fn servers(&self) -> Result<usize> {
        let party = &self.asker.party;
        party.membership.check_live()?;
        Ok(party.handle.count_role(Role::Server))
    }
}

impl<Req: Message + ?Sized, Resp: Message + ?Sized> fmt::Debug for CallClient<Req, Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallClient").field(&self.asker.party.handle.object.label()).finish()
    }
}
