//! Receiving requests.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::handle::Handle;
use super::received::received;
use super::request::Request;
use super::serving::Server;
use crate::channel::message::Message;
use crate::error::{ErrorKind, Result};
use crate::shareable::check_by_value;
use crate::wait::Until;

/// The right to answer the requests of a [`Call`](super::Call), until it is dropped.
///
/// Threads can share a server, and have any number of requests at a time.
///
/// # If a process dies
///
/// The clients of the requests that it had begun are told. Those that it had not begun go to the
/// next server. Requests of clients that are known to be dead are dropped; a server can begin one
/// whose client died just before, and whose death no process has found yet.
pub struct CallServer<Req: Message + ?Sized, Resp: Message + ?Sized> {
    pub(super) server: Server,
    types: PhantomData<fn(&Req, &Resp)>,
}

impl<Req: Message + ?Sized, Resp: Message + ?Sized> CallServer<Req, Resp> {
    pub(super) fn join(handle: &Arc<Handle>) -> Result<Self> {
        Ok(Self { server: Server::join(handle)?, types: PhantomData })
    }

    /// Receives the oldest request that no server has begun, and waits until there is one.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed; `Corrupt` for bytes that are not a value of the type, or
    /// `OutOfSpace` if there is no memory for a list: the client is told `Refused`; `Forked`;
    /// `RoleLost`; `Busy` if other servers were faster in each of many attempts.
    #[inline]
    pub fn recv(&self) -> Result<Request<'_, Req::Owned, Resp>> {
        self.receive(|| Until::Ever)
    }

    /// Receives the oldest request, if there is one.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&self) -> Result<Option<Request<'_, Req::Owned, Resp>>> {
        match self.receive(|| Until::Now) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
            received => received.map(Some),
        }
    }

    /// Receives the oldest request, and waits for one up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`recv`](Self::recv).
    #[inline]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Request<'_, Req::Owned, Resp>> {
        self.receive(|| Until::after(timeout))
    }

    /// Receives the oldest request, and waits for one until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`recv_timeout`](Self::recv_timeout).
    #[inline]
    pub fn recv_until(&self, deadline: Instant) -> Result<Request<'_, Req::Owned, Resp>> {
        self.receive(|| Until::Deadline(deadline))
    }

    /// Returns an iterator that waits for each request. Every error is an item; after `Closed`,
    /// which says that the object was removed, it ends.
    pub fn iter(&self) -> impl Iterator<Item = Result<Request<'_, Req::Owned, Resp>>> {
        let mut is_closed = false;
        std::iter::from_fn(move || {
            let answer = (!is_closed).then(|| self.recv())?;
            is_closed = answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Closed);
            Some(answer)
        })
    }

    #[inline(always)]
    fn receive(&self, until: impl FnOnce() -> Until) -> Result<Request<'_, Req::Owned, Resp>> {
        const {
            if Req::MAX_LEN == 0 {
                check_by_value::<Req::Element>(
                    "larger than 64 KiB: send where it is, or parts of it",
                );
            }
        };
        let (call, value) = self.server.begin(until, received::<Req>)?;
        Ok(Request::new(call, value))
    }
}

impl<Req: Message + ?Sized, Resp: Message + ?Sized> fmt::Debug for CallServer<Req, Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallServer").field(&self.server.party.handle.object.label()).finish()
    }
}
