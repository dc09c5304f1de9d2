//! Futures for what the kinds wait for.
//!
//! Each attempts, and if there is nothing, it waits until the source may be ready, and attempts
//! again.
//! What an attempt takes is returned by the same poll. So a future that is dropped has taken
//! nothing.

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use super::until_ready::UntilReady;
use crate::channel::{
    CallClient, CallServer, Changes, Message, Pending, PipeReader, PipeWriter, Publisher,
    QueueReceiver, QueueSender, Received, Request, Subscriber,
};
use crate::error::{ErrorKind, Result};
use crate::shareable::Shareable;
use crate::sync::{Event, LockError, LockResult, Mutex, MutexGuard, Permit, Semaphore};
use crate::wait::{Source, Waitable};

/// Attempts until there is something.
macro_rules! attempt_until_ready {
    ($attempt:expr, $source:expr) => {
        loop {
            if let Some(found) = $attempt? {
                return Ok(found);
            }
            let source: Arc<dyn Source> = $source;
            UntilReady::of(source).await?;
        }
    };
}
pub(super) use attempt_until_ready;

impl<T: Shareable> Changes<T> {
    /// Waits for the next value, as [`next`](Self::next) does, without blocking the thread.
    ///
    /// Dropping the future takes no value.
    ///
    /// # Errors
    ///
    /// Those of [`next`](Self::next); `Os` if the system refuses the thread that watches.
    pub async fn next_async(&mut self) -> Result<T> {
        attempt_until_ready!(self.try_next(), self.source())
    }
}

impl<M: Message + ?Sized> Subscriber<M> {
    /// Waits for the next message, as [`recv`](Self::recv) does, without blocking the thread.
    ///
    /// Dropping the future receives nothing.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv); `Os` if the system refuses the thread that watches.
    pub async fn recv_async(&mut self) -> Result<M::Owned> {
        attempt_until_ready!(self.try_recv(), self.source())
    }
}

impl<M: Message + ?Sized> Publisher<M> {
    /// Publishes a message, and waits for room, whatever the topic says, as
    /// [`publish_timeout`](Self::publish_timeout) does, without blocking the thread.
    ///
    /// A future that is dropped before it ended has not published the message.
    ///
    /// # Errors
    ///
    /// Those of [`publish`](Self::publish); `Os` if the system refuses the thread that watches.
    pub async fn publish_async(&mut self, message: &M) -> Result<u32> {
        attempt_until_ready!(in_time(self.publish_until(message, Instant::now())), self.source())
    }
}

impl<M: Message + ?Sized> QueueReceiver<M> {
    /// Receives the next message, as [`recv`](Self::recv) does, without blocking the thread.
    ///
    /// Dropping the future takes no message.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv); `Os` if the system refuses the thread that watches.
    pub async fn recv_async(&self) -> Result<Received<'_, M::Owned>> {
        attempt_until_ready!(self.try_recv(), self.source())
    }
}

impl<M: Message + ?Sized> QueueSender<M> {
    /// Sends a message, as [`send`](Self::send) does, without blocking the thread. Its priority is
    /// 0.
    ///
    /// A future that is dropped before it ended has not sent the message.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send); `Os` if the system refuses the thread that watches.
    pub async fn send_async(&self, message: &M) -> Result<()> {
        attempt_until_ready!(not_full(self.try_send(message)), self.source())
    }
}

impl<Req: Message + ?Sized, Resp: Message + ?Sized> CallClient<Req, Resp> {
    /// Sends a request, waits until it is answered, and returns the first response, as
    /// [`call`](Self::call) does, without blocking the thread.
    ///
    /// Dropping the future gives the request up.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call); `Os` if the system refuses the thread that watches.
    pub async fn call_async(&self, request: &Req) -> Result<Resp::Owned> {
        let mut pending = self.send_async(request).await?;
        match pending.recv_async().await? {
            Some(response) => Ok(response),
            None => Err(pending.refused()),
        }
    }

    /// Sends a request, as [`send`](Self::send) does, without blocking the thread.
    ///
    /// A future that is dropped before it ended has not sent the request.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send); `Os` if the system refuses the thread that watches.
    pub async fn send_async(&self, request: &Req) -> Result<Pending<'_, Resp>> {
        attempt_until_ready!(not_full(self.try_send(request)), self.source())
    }
}

impl<Resp: Message + ?Sized> Pending<'_, Resp> {
    /// Waits for the next response, as [`recv`](Self::recv) does, without blocking the thread:
    /// `None` after the last one.
    ///
    /// Dropping the future receives nothing, and does not give the request up.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv); `Os` if the system refuses the thread that watches.
    pub async fn recv_async(&mut self) -> Result<Option<Resp::Owned>> {
        attempt_until_ready!(self.receive_at_once().map(there), self.source())
    }
}

impl<Req: Message + ?Sized, Resp: Message + ?Sized> CallServer<Req, Resp> {
    /// Receives the oldest request, as [`recv`](Self::recv) does, without blocking the thread.
    ///
    /// Dropping the future begins no request.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv); `Os` if the system refuses the thread that watches.
    pub async fn recv_async(&self) -> Result<Request<'_, Req::Owned, Resp>> {
        attempt_until_ready!(self.try_recv(), self.source())
    }
}

impl<Req, Resp: Message + ?Sized> Request<'_, Req, Resp> {
    /// Answers with this response, after which others can follow, as
    /// [`respond_part`](Self::respond_part) does, without blocking the thread.
    ///
    /// A future that is dropped before it ended has not sent the response.
    ///
    /// # Errors
    ///
    /// Those of [`respond`](Self::respond); `Os` if the system refuses the thread that watches.
    pub async fn respond_part_async(&mut self, response: &Resp) -> Result<()> {
        attempt_until_ready!(not_full(self.try_respond_part(response)), self.source())
    }
}

impl PipeReader {
    /// Waits for bytes, and reads those that are there, as [`read`](std::io::Read::read) does,
    /// without blocking the thread. 0 is the end of the stream.
    ///
    /// Dropping the future takes no bytes.
    ///
    /// # Errors
    ///
    /// Those of [`read_timeout`](Self::read_timeout), except `TimedOut`; `Os` if the system refuses
    /// the thread that watches.
    pub async fn read_async(&mut self, into: &mut [u8]) -> Result<usize> {
        attempt_until_ready!(self.try_read(into), self.source())
    }
}

impl PipeWriter {
    /// Waits for room, and writes as many of the bytes as there is room for, without blocking the
    /// thread: up to 4 KiB as a whole. Returns how many.
    ///
    /// A future that is dropped before it ended has written nothing.
    ///
    /// # Errors
    ///
    /// Those of [`write_timeout`](Self::write_timeout), except `TimedOut`; `Os` if the system
    /// refuses the thread that watches.
    pub async fn write_async(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = |count| (count > 0 || bytes.is_empty()).then_some(count);
        attempt_until_ready!(self.try_write(bytes).map(written), self.source_for(bytes.len()))
    }
}

impl Event {
    /// Waits until the event is set, as [`wait`](Self::wait) does, without blocking the thread.
    ///
    /// Dropping the future takes no automatic event.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait); `Os` if the system refuses the thread that watches.
    pub async fn wait_async(&self) -> Result<()> {
        attempt_until_ready!(self.try_wait().map(|is_set| is_set.then_some(())), self.source())
    }
}

impl Semaphore {
    /// Acquires a permit, as [`acquire`](Self::acquire) does, without blocking the thread.
    ///
    /// Dropping the future acquires nothing. Waiting threads are served first.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](Self::acquire); `Os` if the system refuses the thread that watches.
    pub async fn acquire_async(&self) -> Result<Permit<'_>> {
        attempt_until_ready!(self.try_acquire(), self.source())
    }

    /// Consumes a permit, as [`consume`](Self::consume) does, without blocking the thread.
    ///
    /// Dropping the future consumes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`consume`](Self::consume); `Os` if the system refuses the thread that watches.
    pub async fn consume_async(&self) -> Result<()> {
        attempt_until_ready!(
            self.try_consume().map(|is_taken| is_taken.then_some(())),
            self.source()
        )
    }
}

impl<T: Shareable> Mutex<T> {
    /// Acquires the lock, as [`lock`](Self::lock) does, without blocking the thread.
    ///
    /// Dropping the future acquires nothing. Waiting threads are served first.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock); `Os` if the system refuses the thread that watches.
    pub async fn lock_async(&self) -> LockResult<MutexGuard<'_, T>> {
        loop {
            match self.try_lock() {
                Ok(Some(guard)) => return Ok(guard),
                Err(LockError::OwnerDied(Some(guard))) => return Err(LockError::OwnerDied(guard)),
                Err(LockError::Failed(error)) => return Err(LockError::Failed(error)),
                Ok(None) | Err(LockError::OwnerDied(None)) => {}
            }
            UntilReady::of(self.source()).await?;
        }
    }
}

/// The result of an attempt to send: none if there is no room.
pub(super) fn not_full<T>(sent: Result<T>) -> Result<Option<T>> {
    match sent {
        Err(error) if error.kind() == ErrorKind::Full => Ok(None),
        sent => sent.map(Some),
    }
}

/// The result of an attempt that had no time: none if it needs some.
pub(super) fn in_time<T>(done: Result<T>) -> Result<Option<T>> {
    match done {
        Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
        done => done.map(Some),
    }
}

/// What an attempt found, if it did.
pub(super) fn there<T>(found: Poll<T>) -> Option<T> {
    match found {
        Poll::Ready(found) => Some(found),
        Poll::Pending => None,
    }
}
