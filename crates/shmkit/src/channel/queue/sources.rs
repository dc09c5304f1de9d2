//! Waiting for a queue together with other things.

use std::sync::Arc;

use super::any::{AnyQueueReceiver, AnyQueueSender};
use super::handle::Handle;
use super::party::Party;
use super::protocol::{QueueWords, Refused};
use super::receiver::QueueReceiver;
use super::sender::QueueSender;
use crate::channel::message::Message;
use crate::object::Watched;
use crate::sys::notices::ObjectNotices;
use crate::wait::{Extent, Poll, Readiness, Source, Until, WaitWord, Waitable};

/// One side of a queue.
struct QueueSource {
    handle: Arc<Handle>,
    watched: Watched,
    side: Side,
}

#[derive(Clone, Copy)]
enum Side {
    Sender,
    Receiver,
}

impl QueueSource {
    /// The word on which this side sleeps.
    fn word<'a>(&self, queue: QueueWords<'a>) -> WaitWord<'a> {
        WaitWord::new(match self.side {
            Side::Sender => queue.departures,
            Side::Receiver => queue.arrivals,
        })
    }

    /// Whether there is something for this side: also the end of the queue.
    fn has_something(&self, queue: QueueWords<'_>) -> bool {
        queue.is_closed()
            || match self.side {
                Side::Sender => queue.has_free_slot(),
                Side::Receiver => queue.may_have_message(),
            }
    }
}

impl Source for QueueSource {
    fn poll(&self, sleeps: bool) -> Readiness<'_> {
        if let Some(decided) = self.watched.decided() {
            return decided;
        }
        let queue = self.handle.queue();
        let until = if sleeps { Until::Ever } else { Until::Now };
        let look = || Ok::<_, Refused>(self.has_something(queue).then_some(()));
        match queue.poll(self.word(queue), until, look) {
            Poll::Ready(_) => Readiness::Ready,
            Poll::Pending(ticket) | Poll::Reserved(ticket) => Readiness::Pending(ticket),
        }
    }

    fn check(&self, extent: Extent<'_>) -> bool {
        self.handle.queue().sweep(extent, self.watched.object());
        self.watched.check_removed() || matches!(self.poll(false), Readiness::Ready)
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.watched.notices()
    }

    fn pass_wake_on(&self) {
        let queue = self.handle.queue();
        queue.wake_next(self.word(queue), || self.has_something(queue));
    }
}

/// What waits for one side of a queue.
fn source_of(party: &Party, side: Side) -> Arc<dyn Source> {
    let (handle, watched) = party.watched();
    Arc::new(QueueSource { handle, watched, side })
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<M: Message + ?Sized> Waitable for QueueReceiver<M> {
    fn source(&self) -> Arc<dyn Source> {
        source_of(&self.receiving.party, Side::Receiver)
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<M: Message + ?Sized> Waitable for QueueSender<M> {
    fn source(&self) -> Arc<dyn Source> {
        source_of(&self.party, Side::Sender)
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for AnyQueueReceiver {
    fn source(&self) -> Arc<dyn Source> {
        source_of(&self.receiving.party, Side::Receiver)
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for AnyQueueSender {
    fn source(&self) -> Arc<dyn Source> {
        source_of(&self.party, Side::Sender)
    }
}
