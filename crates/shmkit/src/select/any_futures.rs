//! Futures for objects whose type is known only at run time: as in `futures`.

use std::sync::Arc;
use std::time::Duration;

use super::futures::{attempt_until_ready, in_time, not_full, there};
use super::until_ready::UntilReady;
use crate::channel::{
    AnyClient, AnyPending, AnyPublisher, AnyQueueReceiver, AnyQueueSender, AnyRequest, AnyServer,
    AnySubscriber, Received,
};
use crate::error::Result;
use crate::wait::{Source, Waitable};

const NO_WAIT: Option<Duration> = Some(Duration::ZERO);
/// Not 0, for which a publisher returns `Full`: also if no buffer is free.
const AT_ONCE: Duration = Duration::from_nanos(1);

impl AnySubscriber {
    /// Waits for the bytes of the next message: see [`Subscriber::recv_async`](crate::Subscriber).
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv); `Os` if the system refuses the thread that watches.
    pub async fn recv_async(&mut self) -> Result<Vec<u8>> {
        attempt_until_ready!(self.try_recv(), self.source())
    }
}

impl AnyPublisher {
    /// Publishes the bytes of a message: see [`Publisher::publish_async`](crate::Publisher).
    ///
    /// # Errors
    ///
    /// Those of [`publish`](Self::publish); `Os` if the system refuses the thread that watches.
    pub async fn publish_async(&mut self, message: &[u8]) -> Result<u32> {
        attempt_until_ready!(in_time(self.publish_timeout(message, AT_ONCE)), self.source())
    }
}

impl AnyQueueReceiver {
    /// Receives the bytes of the next message: see
    /// [`QueueReceiver::recv_async`](crate::QueueReceiver).
    ///
    /// # Errors
    ///
    /// Those of [`try_recv`](Self::try_recv); `Os` if the system refuses the thread that watches.
    pub async fn recv_async(&self) -> Result<Received<'_, Vec<u8>>> {
        attempt_until_ready!(self.try_recv(), self.source())
    }
}

impl AnyQueueSender {
    /// Sends the bytes of a message with a priority: see
    /// [`QueueSender::send_async`](crate::QueueSender).
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send) without a limit; `Os` if the system refuses the thread that
    /// watches.
    pub async fn send_async(&self, message: &[u8], priority: u32) -> Result<()> {
        attempt_until_ready!(not_full(self.send(message, priority, NO_WAIT)), self.source())
    }
}

impl AnyClient {
    /// Sends the bytes of a request: see [`CallClient::send_async`](crate::CallClient).
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send) without a limit; `Os` if the system refuses the thread that
    /// watches.
    pub async fn send_async(&self, request: &[u8]) -> Result<AnyPending<'_>> {
        attempt_until_ready!(not_full(self.send(request, NO_WAIT)), self.source())
    }
}

impl AnyPending<'_> {
    /// Waits for the bytes of the next response: see [`Pending::recv_async`](crate::Pending).
    ///
    /// # Errors
    ///
    /// Those of [`try_recv`](Self::try_recv); `Os` if the system refuses the thread that watches.
    pub async fn recv_async(&mut self) -> Result<Option<Vec<u8>>> {
        attempt_until_ready!(self.receive_at_once().map(there), self.source())
    }
}

impl AnyServer {
    /// Receives the oldest request: see [`CallServer::recv_async`](crate::CallServer).
    ///
    /// # Errors
    ///
    /// Those of [`try_recv`](Self::try_recv); `Os` if the system refuses the thread that watches.
    pub async fn recv_async(&self) -> Result<AnyRequest<'_>> {
        attempt_until_ready!(self.try_recv(), self.source())
    }
}

impl AnyRequest<'_> {
    /// Answers with this response, after which others can follow: see
    /// [`Request::respond_part_async`](crate::Request).
    ///
    /// # Errors
    ///
    /// Those of [`respond`](Self::respond); `Os` if the system refuses the thread that watches.
    pub async fn respond_part_async(&mut self, response: &[u8]) -> Result<()> {
        attempt_until_ready!(not_full(self.respond_part(response, NO_WAIT)), self.source())
    }
}
