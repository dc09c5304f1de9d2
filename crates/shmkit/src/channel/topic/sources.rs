//! Waiting for a topic together with other things.

use std::sync::Arc;

use super::handle::Handle;
use super::ring::SeenGarbage;
use super::subscriber::Subscriber;
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

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<M: Message + ?Sized> Waitable for Subscriber<M> {
    fn source(&self) -> Arc<dyn Source> {
        let (handle, watched, deaths) = self.watched();
        let (slot, garbage) = (watched.slot(), SeenGarbage::default());
        Arc::new(SubscriberSource { handle, watched, deaths, garbage, slot })
    }
}
