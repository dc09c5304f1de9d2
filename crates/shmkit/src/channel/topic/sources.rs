//! Waiting for a topic together with other things.

use std::sync::Arc;

use super::any::{AnyPublisher, AnySubscriber};
use super::handle::Handle;
use super::publisher::{Publisher, UntypedPublisher};
use super::ring::SeenGarbage;
use super::subscriber::{Subscriber, UntypedSubscriber};
use crate::channel::deaths::WatchedDeaths;
use crate::channel::message::Message;
use crate::object::Watched;
use crate::sys::notices::ObjectNotices;
use crate::wait::{Extent, Readiness, Source, Waitable};

/// A subscriber.
struct SubscriberSource {
    handle: Arc<Handle>,
    watched: Watched,
    deaths: WatchedDeaths,
    garbage: SeenGarbage,
    slot: u32,
}

impl Source for SubscriberSource {
    fn poll(&self, _sleeps: bool) -> Readiness<'_> {
        if let Some(decided) = self.watched.decided() {
            return decided;
        }
        if self.deaths.are_found() {
            return Readiness::Ready;
        }
        self.handle.ring(self.handle.shape).readiness(self.slot, &self.garbage)
    }

    fn check(&self, _extent: Extent<'_>) -> bool {
        let object = self.watched.object();
        self.handle.ring(self.handle.shape).skip_abandoned_of(self.slot, object);
        self.watched.check_removed()
            || self.deaths.check(object)
            || matches!(self.poll(false), Readiness::Ready)
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.watched.notices()
    }
}

/// A publisher.
struct PublisherSource {
    handle: Arc<Handle>,
    watched: Watched,
}

impl Source for PublisherSource {
    fn poll(&self, _sleeps: bool) -> Readiness<'_> {
        if let Some(decided) = self.watched.decided() {
            return decided;
        }
        self.handle.ring(self.handle.shape).room_readiness()
    }

    fn check(&self, extent: Extent<'_>) -> bool {
        self.handle.ring(self.handle.shape).repair_room(extent, self.watched.object());
        self.watched.check_removed() || matches!(self.poll(false), Readiness::Ready)
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.watched.notices()
    }
}

impl UntypedSubscriber {
    fn source(&self) -> Arc<dyn Source> {
        let (handle, watched, deaths) = self.watched();
        let (slot, garbage) = (watched.slot(), SeenGarbage::default());
        Arc::new(SubscriberSource { handle, watched, deaths, garbage, slot })
    }
}

impl UntypedPublisher {
    fn source(&self) -> Arc<dyn Source> {
        let (handle, watched) = self.watched();
        Arc::new(PublisherSource { handle, watched })
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<M: Message + ?Sized> Waitable for Subscriber<M> {
    fn source(&self) -> Arc<dyn Source> {
        self.subscriber.source()
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for AnySubscriber {
    fn source(&self) -> Arc<dyn Source> {
        self.subscriber.source()
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<M: Message + ?Sized> Waitable for Publisher<M> {
    fn source(&self) -> Arc<dyn Source> {
        self.publisher.source()
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for AnyPublisher {
    fn source(&self) -> Arc<dyn Source> {
        self.publisher.source()
    }
}
