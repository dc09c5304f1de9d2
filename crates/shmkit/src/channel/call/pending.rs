//! A request in flight.

use std::fmt;
use std::marker::PhantomData;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::asking::AskedCall;
use super::received::{received, received_into};
use super::slots::InSlot;
use crate::channel::message::Message;
use crate::error::{Error, Result};
use crate::shareable::{Shareable, check_by_value};
use crate::wait::Until;

/// A request that was sent, until its last response is received.
///
/// Dropping it gives the request up: if no server has begun it, none will; a server that has begun
/// it finds [`is_cancelled`](super::Request::is_cancelled).
///
/// # If a process dies
///
/// If the server dies, the next wait returns what it had answered, and then `PeerDied`.
#[must_use = "dropping it gives the request up"]
pub struct Pending<'a, Resp: Message + ?Sized> {
    pub(super) call: AskedCall<'a>,
    response: PhantomData<fn(&Resp)>,
}

impl<'a, Resp: Message + ?Sized> Pending<'a, Resp> {
    #[inline(always)]
    pub(super) fn new(call: AskedCall<'a>) -> Self {
        Self { call, response: PhantomData }
    }

    /// Waits for the next response, and returns it: `None` after the last one.
    ///
    /// # Errors
    ///
    /// Those of [`call`](super::CallClient::call). After `PeerDied` and `Refused` no response
    /// follows.
    #[inline]
    pub fn recv(&mut self) -> Result<Option<Resp::Owned>> {
        self.receive(|| Until::Ever)
    }

    /// Waits for the next response up to `timeout`. After `TimedOut` it can be waited for again.
    ///
    /// # Errors
    ///
    /// `TimedOut`, as [`call_timeout`](super::CallClient::call_timeout) says; and those of
    /// [`recv`](Self::recv).
    #[inline]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<Resp::Owned>> {
        self.receive(|| Until::after(timeout))
    }

    /// Waits for the next response until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`recv_timeout`](Self::recv_timeout).
    #[inline]
    pub fn recv_until(&mut self, deadline: Instant) -> Result<Option<Resp::Owned>> {
        self.receive(|| Until::Deadline(deadline))
    }

    /// Returns the next response if it is there: `None` if it is not, or if none follows, see
    /// [`is_over`](Self::is_over).
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&mut self) -> Result<Option<Resp::Owned>> {
        match self.receive_at_once()? {
            Poll::Ready(response) => Ok(response),
            Poll::Pending => Ok(None),
        }
    }

    /// Returns an iterator over the responses, which waits for each. After an error it ends.
    pub fn iter(&mut self) -> impl Iterator<Item = Result<Resp::Owned>> {
        let mut has_failed = false;
        std::iter::from_fn(move || {
            let answer = (!has_failed).then(|| self.recv().transpose()).flatten()?;
            has_failed = answer.is_err();
            Some(answer)
        })
    }

    /// Returns whether no response follows: the last one was received, or the call failed.
    pub fn is_over(&self) -> bool {
        self.call.is_over()
    }

    /// Gives the request up, as dropping it does.
    pub fn cancel(self) {}

    #[inline(always)]
    pub(super) fn receive(&mut self, until: impl FnOnce() -> Until) -> Result<Option<Resp::Owned>> {
        const { check::<Resp>() };
        self.call.next(until, received::<Resp>)
    }

    /// Returns the next response, or none if none follows. `Pending`: it is not there yet.
    pub(crate) fn receive_at_once(&mut self) -> Result<Poll<Option<Resp::Owned>>> {
        const { check::<Resp>() };
        self.call.attempt(|| Until::Now, received::<Resp>)
    }

    pub(crate) fn refused(&self) -> Error {
        self.call.refused()
    }
}

impl<T: Shareable> Pending<'_, [T]> {
    /// Waits as [`recv_timeout`](Self::recv_timeout) does, and replaces the elements of `into` by
    /// those of the response. It takes memory only if the list has no room for them. Returns false
    /// after the last response.
    ///
    /// # Errors
    ///
    /// Those of [`recv_timeout`](Self::recv_timeout). `into` is then empty.
    pub fn recv_into(&mut self, into: &mut Vec<T>, timeout: Duration) -> Result<bool> {
        into.clear();
        let read = |message: InSlot<'_>| received_into(message, into);
        Ok(self.call.next(|| Until::after(timeout), read)?.is_some())
    }
}

/// Refuses a type that is too large for the stack.
const fn check<M: Message + ?Sized>() {
    if M::MAX_LEN == 0 {
        check_by_value::<M::Element>("larger than 64 KiB: answer with parts of it");
    }
}

impl<Resp: Message + ?Sized> fmt::Debug for Pending<'_, Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}
